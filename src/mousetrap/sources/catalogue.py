"""All configured sources, by name."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from mousetrap.settings import source_kinds
from mousetrap.settings.secrets import NO_SECRETS, Keyring
from mousetrap.settings.sources import Sources
from mousetrap.sources import memory
from mousetrap.sources.batches import Batches
from mousetrap.sources.errors import UnknownSourceError
from mousetrap.sources.feed import Feed
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.files import Files
from mousetrap.sources.geojson import GeojsonFeed
from mousetrap.sources.http.download import Downloader
from mousetrap.sources.http.network import DIRECT, Network
from mousetrap.sources.markup import GeorssFeed, GpxFeed, KmlFeed
from mousetrap.sources.objects import JsonFeed
from mousetrap.sources.places import InventedPlaces
from mousetrap.sources.sequence import GeojsonseqFeed
from mousetrap.sources.source import Context, Source
from mousetrap.sources.table import CsvFeed

MAX_CONNECTIONS: Final = 16
SOURCES: Final[dict[type[source_kinds.SourceSettings], Callable[[Any, Context], Source]]] = {
    source_kinds.CsvSettings: CsvFeed,
    source_kinds.FakerSettings: InventedPlaces,
    source_kinds.FileSettings: Files,
    source_kinds.GeojsonSettings: GeojsonFeed,
    source_kinds.GeojsonseqSettings: GeojsonseqFeed,
    source_kinds.GeorssSettings: GeorssFeed,
    source_kinds.GpxSettings: GpxFeed,
    source_kinds.JsonSettings: JsonFeed,
    source_kinds.KmlSettings: KmlFeed,
}
"""The class of each kind of source, by the class of its settings."""


class Catalogue:
    """Fetches batches from the sources of `sources.toml`.

    An async context manager; it opens at most `max_connections` connections at a time, and only
    to fetch a batch. `keyring` has the secrets of the sources.
    """

    def __init__(
        self,
        sources: Sources,
        *,
        keyring: Keyring = NO_SECRETS,
        network: Network = DIRECT,
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._downloader = Downloader(max_connections=max_connections, network=network)
        batches = Batches()
        self._settings = sources.sources
        self._sources = {
            name: SOURCES[type(settings)](
                settings, Context(name, self._downloader, batches, keyring)
            )
            for name, settings in sources.sources.items()
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
        """Return an upper estimate of the bytes that a batch of `name` takes; 0 if unknown."""
        source = self._sources.get(name)
        return 0 if source is None else source.weight()

    def settings(self, name: str) -> source_kinds.SourceSettings:
        """Return the settings of a source that there is."""
        return self._settings[name]

    async def fetch(self, name: str) -> Fetched:
        """Return a batch of at least one point from the source `name`.

        Waits until there is memory for the batch, takes no longer than the deadline of the source
        otherwise, and may be cancelled at any time. Raises only SourceError, whatever the source
        does.
        """
        source = self._sources.get(name)
        if source is None:
            raise UnknownSourceError(
                f"there is no source {name!r}: add [sources.{name}] to sources.toml,"
                " or refresh a configured source"
            )
        if not isinstance(source, Feed):
            await memory.claim(source.weight())
        return await source.fetch()
