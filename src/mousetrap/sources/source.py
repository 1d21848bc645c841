"""A source, and the collaborators that it is made with."""

from dataclasses import dataclass
from typing import Protocol

from mousetrap.geo.point import Point
from mousetrap.sources.batches import Batches
from mousetrap.sources.http.download import Downloader


@dataclass(frozen=True, slots=True)
class Context:
    """The name of a source, and the collaborators that it shares with the other sources."""

    name: str
    downloader: Downloader
    batches: Batches


class Source(Protocol):
    """An entry of `sources.toml` that batches can be taken from."""

    def weight(self) -> int:
        """Return how many bytes of memory a batch may take while it is fetched, about."""

    async def fetch(self) -> tuple[Point, ...]:
        """Return a batch of at least one point.

        Keeps its own deadline and may be cancelled at any time. Raises SourceError and nothing
        else, whatever the server sends.
        """
