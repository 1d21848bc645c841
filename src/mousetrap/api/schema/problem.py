"""Problems (RFC 9457)."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType


class Flaw(Struct, frozen=True):
    """An invalid field or parameter of a request."""

    name: Annotated[str, Meta(description="the name of the field or parameter", examples=["limit"])]
    where: Annotated[str, Meta(description="query, path, header or body", examples=["query"])]
    message: Annotated[
        str, Meta(description="the expected value", examples=["Expected `int` <= 100"])
    ]


class Problem(Struct, frozen=True):
    """An error (RFC 9457)."""

    type: Annotated[
        str,
        Meta(
            description="stable, for programs; the end of this page lists all types",
            examples=["urn:mousetrap:problem:unknown-source"],
        ),
    ]
    title: Annotated[str, Meta(description="the same for every problem of this type")]
    status: Annotated[int, Meta(ge=400, le=599, description="the HTTP status")]
    detail: Annotated[str, Meta(description="the cause and the remedy, for people")]
    errors: Annotated[list[Flaw] | UnsetType, Meta(description="with `invalid-request` only")] = (
        UNSET
    )
    checks: Annotated[
        dict[str, str] | UnsetType,
        Meta(
            description="with `not-ready` only: `ok` or the fault, by dependency and by loop of the"
            " process; without the scope `metrics`, `unavailable` in place of the fault"
        ),
    ] = UNSET
