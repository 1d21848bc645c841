"""All configured sources, by name."""

import asyncio
from types import TracebackType
from typing import Final, Self

from mousetrap.geo.point import Point
from mousetrap.settings.sources import FakerSource, Sources
from mousetrap.sources import places
from mousetrap.sources.batches import Batches
from mousetrap.sources.errors import UnknownSourceError
from mousetrap.sources.feed import Feed
from mousetrap.sources.http.download import Downloader

MAX_CONNECTIONS: Final = 16
FEW: Final = 10  # places that are invented in less time than another thread costs
BYTES_OF_PLACE: Final = 256
BYTES_OF_CONNECTION: Final = 8 * 1024 * 1024
"""What a feed weighs at least, so that who bounds the weight bounds the connections as well."""


class Catalogue:
    """Takes batches from the sources of `sources.toml`.

    An async context manager; makes at most `max_connections` connections at a time, and only when
    a batch is asked for.
    """

    def __init__(self, sources: Sources, *, max_connections: int = MAX_CONNECTIONS) -> None:
        self._downloader = Downloader(max_connections=max_connections)
        batches = Batches()
        self._sources = {
            name: (
                source
                if isinstance(source, FakerSource)
                else Feed(name, source, self._downloader, batches)
            )
            for name, source in sources.sources.items()
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._downloader.close()

    def weight(self, name: str) -> int:
        """Return how many bytes a batch of the source called `name` may come as, about."""
        match self._sources.get(name):
            case None:
                return 0
            case FakerSource(count=count):
                return count * BYTES_OF_PLACE
            case feed:
                return max(feed.max_bytes, BYTES_OF_CONNECTION)

    async def fetch(self, name: str) -> tuple[Point, ...]:
        """Return a batch of at least one point from the source called `name`.

        Takes no longer than the deadline of the source. Raises SourceError, whatever the source
        does; may be cancelled at any time.
        """
        match self._sources.get(name):
            case None:
                raise UnknownSourceError(
                    f"no source is called {name!r}: add [sources.{name}] to sources.toml,"
                    " or ask for one that is there"
                )
            case FakerSource(count=count) if count <= FEW:
                return places.invent(count)
            case FakerSource(count=count):
                return await asyncio.to_thread(places.invent, count)
            case feed:
                return await feed.fetch()
