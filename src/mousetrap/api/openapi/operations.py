"""Facts of an operation that Litestar cannot derive from its handler."""

from collections.abc import Mapping
from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, Reference
from msgspec import Struct


def operation(*, offers: Mapping[str, type[Struct]]) -> type[Operation]:
    """Return an `operation_class` for a handler.

    `offers` are further media types of the body of its answer of status 200, which a caller
    requests with Accept.
    """

    @dataclass
    class Described(Operation):
        def __post_init__(self) -> None:
            answer = (self.responses or {}).get("200")
            if isinstance(answer, OpenAPIResponse) and answer.content is not None:
                for media_type, schema in offers.items():
                    answer.content[media_type] = OpenAPIMediaType(schema=reference(schema))

    return Described


def reference(schema: type[Struct]) -> Reference:
    """Return the reference to the schema of a body."""
    return Reference(ref=f"#/components/schemas/{schema.__name__}")
