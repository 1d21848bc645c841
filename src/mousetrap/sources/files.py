"""Local files, read as the answers of one feed."""

import asyncio
import stat
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from mousetrap.geo.report import Report
from mousetrap.settings.source_kinds import FileSettings
from mousetrap.sources import shortage
from mousetrap.sources.collector import Collector
from mousetrap.sources.errors import (
    DeadlineError,
    IncompleteError,
    SourceError,
    TooLargeError,
    UnreadableFileError,
)
from mousetrap.sources.feed import EXPANSION
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.geojson import GeojsonFeed, Reader
from mousetrap.sources.http.body import STEP, Layer
from mousetrap.sources.markup import LANGUAGES, Markup, MarkupFeed
from mousetrap.sources.objects import JsonFeed, Objects
from mousetrap.sources.parser import Page, Parser
from mousetrap.sources.sequence import GeojsonseqFeed, Sequence
from mousetrap.sources.source import Context
from mousetrap.sources.table import CsvFeed, Table
from mousetrap.telemetry import logs

MAX_FILES: Final = 1000

PARSERS: Final[dict[str, Callable[[FileSettings, Collector], Parser]]] = {
    "csv": Table,
    "geojson": Reader,
    "geojsonseq": Sequence,
    "json": Objects,
    **{name: partial(Markup, language=name) for name in LANGUAGES},
}
LOCATIONS: Final = {
    "csv": CsvFeed.location,
    "geojson": GeojsonFeed.location,
    "geojsonseq": GeojsonseqFeed.location,
    "json": JsonFeed.location,
    **dict.fromkeys(LANGUAGES, MarkupFeed.location),
}

log = logs.logger(__name__)


class Files:
    """The files at the path of a source, or at all paths that match it, in their order.

    They may be packed with gzip. The bounds of the source are those of all files together. The
    messages of errors name a file without its folder, for they are public.
    """

    def __init__(self, settings: FileSettings, _: Context) -> None:
        self._settings = settings

    def weight(self) -> int:
        """Return an upper estimate of the bytes of memory that reading a batch takes."""
        return self._settings.max_bytes * EXPANSION

    async def fetch(self) -> Fetched:
        """Return the points of all files within the deadline of the source; raises SourceError."""
        begin = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.deadline):
                return await self._fetch(begin)
        except TimeoutError as error:
            raise DeadlineError(
                f"the files were not read within {self._settings.deadline:g} s: raise the deadline"
                " of this source, or choose smaller files"
            ) from error

    async def _fetch(self, begin: float) -> Fetched:
        location = LOCATIONS[self._settings.reads]
        collector = Collector(
            max_points=self._settings.max_points,
            max_bad=self._settings.max_bad,
            max_bytes=self._settings.max_bytes,
            location=location,
        )
        paths = await asyncio.to_thread(_find, self._settings.path)
        size = 0
        pages: list[Page] = []
        for number, path in enumerate(paths, start=1):
            if number > 1:
                collector.begin_page(number)
            steps = self._steps(path, collector, self._settings.max_bytes - size, pages)
            # One step at a time, so that no thread goes on for long after the deadline.
            while (step := await asyncio.to_thread(next, steps, None)) is not None:
                size += step
        _check(pages, collector)
        batch = await asyncio.to_thread(collector.batch)
        skipped, warnings = collector.skipped(), collector.warnings()
        if skipped.count:
            log.info("features are left out", count=skipped.count, reasons=skipped.reasons)
        seconds = round(time.monotonic() - begin, 3)
        return Fetched(batch, Report(skipped, len(paths), size, seconds=seconds, warnings=warnings))

    def _steps(
        self, path: Path, collector: Collector, max_bytes: int, pages: list[Page]
    ) -> Iterator[int]:
        """Read a file, which is a further one of `pages`; yield the bytes of each step.

        Raises SourceError, which names the file.
        """
        try:
            pages.append((yield from _read(path, self._parser(collector), max_bytes)))
        except OSError as error:
            shortage.check(error)
            raise _unreadable(path, error.strerror or "it cannot be read") from error
        except SourceError as error:
            raise type(error)(f"{path.name}: {error}", excerpt=error.excerpt) from error

    def _parser(self, collector: Collector) -> Parser:
        return PARSERS[self._settings.reads](self._settings, collector)


def _find(pattern: str) -> list[Path]:
    """Return the paths of regular files that match; at least one. Raises SourceError."""
    literal = Path(pattern).absolute()
    if literal.exists():
        return [literal]
    found = Path(literal.anchor).glob(str(literal.relative_to(literal.anchor)))
    paths = sorted(islice(found, MAX_FILES + 1))
    if not paths:
        raise _unreadable(literal, "there is no such file")
    if len(paths) > MAX_FILES:
        raise TooLargeError(
            f"more than {MAX_FILES} files match {literal.name}: choose a narrower path"
        )
    return paths


def _check(pages: list[Page], collector: Collector) -> None:
    """Raise IncompleteError when the files are pages of a feed, and not all of them."""
    total = max((page.total for page in pages if page.total is not None), default=None)
    parts = sum(page.partial or page.next is not None for page in pages)
    features = sum(page.features for page in pages)
    if parts == len(pages) if total is None else features < total:
        of = "" if total is None else f" ({features} of {total} features)"
        raise IncompleteError(
            f"the files are a part of a feed{of}: save its other pages beside them, and set path to"
            " a pattern that all match"
        )
    if total is None and parts:
        collector.warn(f"{parts} of {len(pages)} files say that they are a part of a feed")


def _read(path: Path, parser: Parser, max_bytes: int) -> Generator[int, None, Page]:
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe might wait for ever
        raise _unreadable(path, "it is not a file")
    layer, size = Layer(), 0
    with path.open("rb") as file:
        while chunk := file.read(STEP):
            for piece in layer.feed(chunk):
                if layer.largest > max_bytes:
                    raise TooLargeError(
                        "the files have more than max_bytes: raise max_bytes of this source, which"
                        " bounds all of them together, packed and unpacked"
                    )
                parser.feed(piece)
                yield layer.largest - size
                size = layer.largest
    for piece in layer.finish():
        parser.feed(piece)
    return parser.finish()


def _unreadable(path: Path, reason: str) -> UnreadableFileError:
    return UnreadableFileError(
        f"{path.name} cannot be read ({reason}): correct the path of this source, and check that"
        " the fetch workers may read the file",
        excerpt=path,
    )
