"""The configured sources."""

from typing import Annotated

from msgspec import Meta, Struct

from mousetrap.api.schema.fields import SourceName
from mousetrap.api.schema.summary import Summary


class SourceStatus(Struct, frozen=True):
    """A configured source."""

    name: SourceName
    kind: Annotated[str, Meta(description="the kind of source", examples=["geojson"])]
    default: Annotated[bool, Meta(description="whether it is the default source")]
    every: Annotated[
        str | None,
        Meta(description="the period of its schedule; null without one", examples=["5m"]),
    ]
    newest: Annotated[Summary | None, Meta(description="its newest summary; null before the first")]


class SourceList(Struct, frozen=True):
    """All configured sources, by name."""

    items: list[SourceStatus]
