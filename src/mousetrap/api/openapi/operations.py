"""Facts of an operation that Litestar cannot derive from its handler."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from litestar.openapi.spec import (
    Example,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Reference,
    Schema,
)
from msgspec import Struct

TEXT: Final = Schema(type=OpenAPIType.STRING)

type Offer = type[Struct] | tuple[type[Struct], ...] | str
"""The schema of a body, those of which it has one, or an example of a body that is not JSON."""


def operation(*, offers: Mapping[str, Offer]) -> type[Operation]:
    """Return an `operation_class` for a handler, whose `offers` are negotiated.

    They are further media types of the body of its answer of status 200, which a caller requests
    with Accept: each with its schema, with several of which it has one, or with an example if it is
    not JSON.
    """
    offered = tuple(offers)

    @dataclass
    class Described(Operation):
        offers: ClassVar[tuple[str, ...]] = offered

        def __post_init__(self) -> None:
            answer = (self.responses or {}).get("200")
            if isinstance(answer, OpenAPIResponse) and answer.content is not None:
                for media_type, schema in offers.items():
                    answer.content[media_type] = _described(schema)

    return Described


def _described(schema: Offer) -> OpenAPIMediaType:
    if isinstance(schema, str):
        return OpenAPIMediaType(schema=TEXT, examples={"batch": Example(value=schema)})
    if isinstance(schema, tuple):
        return OpenAPIMediaType(schema=Schema(one_of=[reference(it) for it in schema]))
    return OpenAPIMediaType(schema=reference(schema))


def reference(schema: type[Struct]) -> Reference:
    """Return the reference to the schema of a body."""
    return Reference(ref=f"#/components/schemas/{schema.__name__}")
