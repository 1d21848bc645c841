"""The base of the sources over HTTP: conditional downloads within limits."""

import asyncio
import time
from abc import ABC, abstractmethod
from codecs import BOM_UTF8
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import ClassVar, Final

import httpx2

from mousetrap.geo.report import Report
from mousetrap.settings.errors import SettingsError
from mousetrap.settings.source_kinds import HttpSettings
from mousetrap.sources import crs, memory
from mousetrap.sources.batches import Known
from mousetrap.sources.collector import Collector
from mousetrap.sources.errors import (
    MAX_EXCERPT,
    BadUrlError,
    DeadlineError,
    NoSecretError,
    SourceError,
    WrongContentTypeError,
)
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.http import credentials
from mousetrap.sources.http.body import Allowance
from mousetrap.sources.http.credentials import Credentials
from mousetrap.sources.http.download import NO_VERSION, Answer, Request, Version
from mousetrap.sources.http.urls import authority, origin, parameter, parse, with_parameter
from mousetrap.sources.pages import Pages
from mousetrap.sources.parser import Parser
from mousetrap.sources.source import Context
from mousetrap.telemetry import logs

EXPANSION: Final = 6
"""Bytes of memory for each byte of a body, at the peak: the body, its features, their names."""

log = logs.logger(__name__)


class Feed(ABC):
    """The base of the sources over HTTP; a format defines its media types and its parser."""

    media_types: ClassVar[tuple[str, ...]]
    """The media types to ask for, the preferred one first; an answer is read by what it holds."""

    location: ClassVar[str] = "features[{}]"
    """How messages name a feature by its index."""

    def __init__(self, settings: HttpSettings, context: Context) -> None:
        self._settings = settings
        self._context = context

    @abstractmethod
    def parser(self, collector: Collector) -> Parser:
        """Return the parser of one answer."""

    def collector(self) -> Collector:
        """Return what the points of a batch are collected by."""
        return Collector(
            max_points=self._settings.max_points,
            max_bad=self._settings.max_bad,
            max_bytes=self._settings.max_bytes,
            location=self.location,
        )

    def weight(self) -> int:
        """Return an upper estimate of the bytes of memory that fetching a batch takes."""
        return self._settings.max_bytes * EXPANSION

    async def fetch(self) -> Fetched:
        """Return the current batch within the deadline of the source; raises SourceError."""
        begin = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.deadline) as limit:
                own = await self._credentials()
                fetched = await self._redacted(own, limit)
        except TimeoutError as error:
            raise DeadlineError(
                f"the batch did not arrive within {self._settings.deadline:g} s: try again later,"
                " or raise the deadline of this source"
            ) from error
        seconds = round(time.monotonic() - begin, 3)
        return Fetched(fetched.batch, replace(fetched.report, seconds=seconds))

    async def _credentials(self) -> Credentials:
        if not credentials.are_set(self._settings):
            return credentials.NONE
        try:
            return await asyncio.to_thread(credentials.read, self._settings, self._context.keyring)
        except SettingsError as error:
            raise NoSecretError(
                "a secret of this source cannot be read: the log of the fetch worker says which",
                excerpt=error,
            ) from error

    async def _redacted(self, own: Credentials, limit: asyncio.Timeout) -> Fetched:
        try:
            return await self._fetch(own, limit)
        except SourceError as error:
            error.redact(own.secrets)
            raise

    async def _fetch(self, own: Credentials, limit: asyncio.Timeout) -> Fetched:
        name, batches = self._context.name, self._context.batches
        cached = batches.find(name)
        reading = _Reading(self._settings, self.collector(), self.media_types, own)
        request: Request | None = reading.first
        while request is not None:
            known = cached.version if request is reading.first else NO_VERSION
            async with self._ask(request, reading.allowance, known) as answer:
                if request is reading.first:
                    await self._claim(limit)
                if answer is None:
                    log.info("the source has not changed", count=len(cached.fetched.batch))
                    report = replace(cached.fetched.report, status=304)
                    return Fetched(cached.fetched.batch, report)
                request = await reading.read(answer, self.parser(reading.collector))
        fetched = await asyncio.to_thread(reading.finish)
        # The validators of one page say nothing of the others.
        if answer is not None and answer.version and fetched.report.pages == 1:
            batches.keep(name, Known(answer.version, fetched))
        return fetched

    async def _claim(self, limit: asyncio.Timeout) -> None:
        """Wait for memory for the batch; other sources hold it, so the deadline stands still."""
        clock = asyncio.get_running_loop().time
        left = self._settings.deadline if (end := limit.when()) is None else end - clock()
        limit.reschedule(None)
        await memory.claim(self.weight())
        limit.reschedule(clock() + left)

    def _ask(
        self, request: Request, allowance: Allowance, known: Version
    ) -> AbstractAsyncContextManager[Answer | None]:
        return self._context.downloader.ask(
            request,
            media_types=self.media_types,
            allowance=allowance,
            max_redirects=self._settings.max_redirects,
            known=known,
            allow_private=self._settings.allow_private,
        )


class _Reading:
    """The answers of one fetch, page after page."""

    def __init__(
        self,
        settings: HttpSettings,
        collector: Collector,
        media_types: Sequence[str],
        own: Credentials,
    ) -> None:
        url = parse(settings.url)
        for name, value in own.params.items():
            url = with_parameter(url, name, value)
        self.first = Request(url, own.headers, own.body)
        self.collector = collector
        self.allowance = Allowance(settings.max_bytes)
        self._own = own
        self._at_home = True
        self._pages = Pages(settings, url)
        self._media_types = media_types
        self._bytes = 0
        self._status = 0

    async def read(self, answer: Answer, parser: Parser) -> Request | None:
        """Read one answer; return the request for the next page, or None after the last."""
        crs.check_header(answer.headers.get("content-crs"))
        begun = False
        async for piece in answer.pieces:
            if not begun:
                begun = True
                _refuse_markup(piece, self._media_types)
            self._bytes += len(piece)
            await asyncio.to_thread(parser.feed, piece)
        page = await asyncio.to_thread(parser.finish)
        self._status = answer.status
        following = self._pages.follow(answer, page, points=len(self.collector))
        self.collector.begin_page(self._pages.count + 1)
        return None if following is None else self._next(answer, following)

    def _next(self, answer: Answer, url: httpx2.URL) -> Request:
        """Return the request for a page, with the part of the source's own for its origin alone.

        A page that came from elsewhere must not say what the origin is asked for with a key.
        """
        home = origin(self.first.url)
        self._at_home = self._at_home and answer.at_home and origin(url) == home
        if self._at_home:
            for name, value in self._own.params.items():
                # A link mostly has them already, and may have altered one that counts pages.
                if parameter(url, name) is None:
                    url = with_parameter(url, name, value)
            return Request(url, self._own.headers, self._own.body)
        if self._own.body is not None:
            raise BadUrlError(
                f"the next page is at {authority(url)}, where the body of this source is not sent:"
                " tell the operator of the server"
            )
        return Request(url)

    def finish(self) -> Fetched:
        """Return the batch of all answers."""
        batch = self.collector.batch()
        self._pages.check(batch)
        skipped = self.collector.skipped()
        if skipped.count:
            log.info("features are left out", count=skipped.count, reasons=skipped.reasons)
        report = Report(
            skipped,
            self._pages.count,
            self._bytes,
            self._status,
            truncated=self._pages.truncated,
            warnings=self.collector.warnings(),
        )
        return Fetched(batch, report)


def _refuse_markup(begin: bytes, media_types: Sequence[str]) -> None:
    """Raise WrongContentTypeError for a web page or XML, unless the feed is XML."""
    if any(it.endswith("xml") for it in media_types):
        return
    if begin.removeprefix(BOM_UTF8).lstrip().startswith(b"<"):
        raise WrongContentTypeError(
            f"the answer is a web page or XML, and not {media_types[0]}: open the url of this"
            " source in a browser",
            excerpt=begin[:MAX_EXCERPT].decode("utf-8", "replace"),
        )
