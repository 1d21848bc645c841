"""The base of the sources over HTTP: a conditional download within limits."""

import asyncio
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar, Final

from mousetrap.geo.report import Report
from mousetrap.settings.source_kinds import HttpSettings
from mousetrap.sources.batches import Known
from mousetrap.sources.collector import Collector
from mousetrap.sources.errors import DeadlineError
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.http.download import Answer
from mousetrap.sources.parser import Parser
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

    place: ClassVar[str] = "features[{}]"
    """How messages name a feature by its index."""

    def __init__(self, settings: HttpSettings, context: Context) -> None:
        self._settings = settings
        self._context = context

    @abstractmethod
    def parser(self, collector: Collector) -> Parser:
        """Return the parser of one answer."""

    def collector(self) -> Collector:
        """Return what the points of a batch are collected by."""
        return Collector(max_points=self._settings.max_points, place=self.place)

    def weight(self) -> int:
        """Return an upper estimate of the bytes of memory that fetching a batch takes."""
        return max(self._settings.max_bytes * EXPANSION, CONNECTION_BYTES)

    async def fetch(self) -> Fetched:
        """Return the current batch within the deadline of the source; raises SourceError."""
        begin = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.deadline):
                fetched = await self._fetch()
        except TimeoutError as error:
            raise DeadlineError(
                f"the batch did not arrive within {self._settings.deadline:g} s: try again later,"
                " or raise the deadline of this source"
            ) from error
        seconds = round(time.monotonic() - begin, 3)
        return Fetched(fetched.batch, replace(fetched.report, seconds=seconds))

    async def _fetch(self) -> Fetched:
        name, batches = self._context.name, self._context.batches
        cached = batches.find(name)
        async with self._context.downloader.ask(
            self._settings.url,
            media_types=self.media_types,
            max_bytes=self._settings.max_bytes,
            max_redirects=self._settings.max_redirects,
            known=cached.version,
            allow_private=self._settings.allow_private,
        ) as answer:
            if answer is None:
                log.info("the source has not changed", count=len(cached.fetched.batch))
                report = replace(cached.fetched.report, status=304)
                return Fetched(cached.fetched.batch, report)
            fetched = await self._read(answer)
        if answer.version:
            batches.keep(name, Known(answer.version, fetched))
        return fetched

    async def _read(self, answer: Answer) -> Fetched:
        collector = self.collector()
        parser = self.parser(collector)
        received = 0
        async for piece in answer.pieces:
            received += len(piece)
            await asyncio.to_thread(parser.feed, piece)
        await asyncio.to_thread(parser.finish)
        batch = await asyncio.to_thread(collector.batch)
        skipped = collector.skipped()
        if skipped.count:
            log.info("features without a place are left out", count=skipped.count)
        report = Report(skipped, 1, received, 200, warnings=collector.warnings())
        return Fetched(batch, report)
