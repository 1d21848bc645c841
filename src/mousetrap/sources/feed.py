"""The base of the sources over HTTP: a conditional download within limits."""

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar, Final

from mousetrap.geo.batch import Batch
from mousetrap.settings.source_kinds import HttpSettings
from mousetrap.sources.batches import Known
from mousetrap.sources.errors import DeadlineError
from mousetrap.sources.source import Context
from mousetrap.telemetry import logs

CONNECTION_BYTES: Final = 8 * 1024 * 1024
"""The minimum weight of a feed, so a bound on weight also bounds the connections."""

EXPANSION: Final = 6
"""Bytes of memory for each byte of a body, at the peak: the body, its features, their names."""

log = logs.logger(__name__)


class Feed(ABC):
    """The base of the sources over HTTP; a format defines its media types and its parser."""

    media_types: ClassVar[tuple[str, ...]]
    """The acceptable media types, the preferred one first."""

    def __init__(self, settings: HttpSettings, context: Context) -> None:
        self._settings = settings
        self._context = context

    @abstractmethod
    def read(self, body: bytearray) -> Batch:
        """Return the points of a whole body; runs in a thread. Raises SourceError."""

    def weight(self) -> int:
        """Return an upper estimate of the bytes of memory that fetching a batch takes."""
        return max(self._settings.max_bytes * EXPANSION, CONNECTION_BYTES)

    async def fetch(self) -> Batch:
        """Return the current batch within the deadline of the source; raises SourceError."""
        try:
            async with asyncio.timeout(self._settings.deadline):
                return await self._fetch()
        except TimeoutError as error:
            raise DeadlineError(
                f"the batch did not arrive within {self._settings.deadline:g} s: try again later,"
                " or raise the deadline of this source"
            ) from error

    async def _fetch(self) -> Batch:
        name, batches = self._context.name, self._context.batches
        cached = batches.find(name)
        answer = await self._context.downloader.get(
            self._settings.url,
            media_types=self.media_types,
            max_bytes=self._settings.max_bytes,
            max_redirects=self._settings.max_redirects,
            known=cached.version,
            allow_private=self._settings.allow_private,
        )
        if answer is None:
            log.info("the source has not changed", count=len(cached.batch))
            return cached.batch
        batch = await asyncio.to_thread(self.read, answer.body)
        if answer.version:
            batches.keep(name, Known(answer.version, batch))
        return batch
