"""One source of kind `geojson`: its batch, taken within its limits."""

import asyncio

from mousetrap.geo.point import Point
from mousetrap.settings.sources import GeojsonSource
from mousetrap.sources.batches import Batch, Batches
from mousetrap.sources.errors import DeadlineError
from mousetrap.sources.geojson import Reader
from mousetrap.sources.http.download import Downloader
from mousetrap.telemetry import logs

log = logs.logger(__name__)


class Feed:
    """A GeoJSON feed over HTTP, which is asked only for what it has not given before."""

    def __init__(
        self, name: str, source: GeojsonSource, downloader: Downloader, batches: Batches
    ) -> None:
        self._name = name
        self._source = source
        self._downloader = downloader
        self._batches = batches
        self.max_bytes = source.max_bytes
        self._reader = Reader(name_property=source.name_property, max_points=source.max_points)

    async def fetch(self) -> tuple[Point, ...]:
        """Return the batch of now, within the deadline of the source; raises SourceError."""
        try:
            async with asyncio.timeout(self._source.deadline):
                return await self._fetch()
        except TimeoutError as error:
            raise DeadlineError(
                f"the batch was not there within {self._source.deadline:g} s: try again later,"
                " or raise the deadline of this source"
            ) from error

    async def _fetch(self) -> tuple[Point, ...]:
        kept = self._batches.find(self._name)
        answer = await self._downloader.get(
            self._source.url,
            max_bytes=self._source.max_bytes,
            max_redirects=self._source.max_redirects,
            known=kept.version,
        )
        if answer is None:
            log.info("the source has not changed", count=len(kept.points))
            return kept.points
        points = await asyncio.to_thread(self._reader.read, answer.body)
        if answer.version:
            self._batches.keep(self._name, Batch(answer.version, points))
        return points
