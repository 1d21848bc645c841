"""The command `sources check`: validates `sources.toml` and fetches a batch of each source."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import structlog

from mousetrap.cli import lists, tables
from mousetrap.cli.errors import CheckFailedError
from mousetrap.cli.options import Options
from mousetrap.cli.output import Output
from mousetrap.cli.schema import Feed, Place
from mousetrap.geo.report import Report
from mousetrap.geo.summary import Summary, summarise
from mousetrap.settings import checks, process
from mousetrap.settings import sources as settings
from mousetrap.settings.errors import SettingsError
from mousetrap.settings.secrets import Keyring
from mousetrap.settings.source_kinds import SourceSettings
from mousetrap.sources.catalogue import Catalogue
from mousetrap.sources.errors import SourceError, UnreadableFileError
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.http import credentials
from mousetrap.sources.http.network import Network, network
from mousetrap.sources.packed import whole
from mousetrap.sources.text import tidy
from mousetrap.telemetry import logs

CONCURRENCY: Final = 4


@dataclass(frozen=True, slots=True)
class Outcome:
    """The summary and the report of a source, or its error, and the seconds that it took."""

    name: str
    kind: str
    seconds: float
    gave: Summary | SourceError
    report: Report | None = None

    def row(self) -> tuple[str, ...]:
        """Return the cells of its row in the table."""
        took = tables.duration(self.seconds)
        if isinstance(self.gave, SourceError):
            return self.name, self.kind, "none", tables.NONE, tables.NONE, took
        centre, north = self.gave.centroid, self.gave.most_northerly
        return (
            self.name,
            self.kind,
            f"{self.gave.count:,}",
            tables.NONE if centre is None else tables.position(centre.lat, centre.lon),
            tables.place(Place(north.lat, north.lon, north.name)),
            took,
        )

    def document(self) -> dict[str, Any]:
        """Return its JSON document, with the summary in the format of the API."""
        common = {"name": self.name, "kind": self.kind, "seconds": round(self.seconds, 3)}
        if isinstance(self.gave, SourceError):
            error = {
                "code": self.gave.code,
                "detail": str(self.gave),
                "retryable": self.gave.retryable,
            }
            return common | {"ok": False, "summary": None, "error": error, "feed": None}
        summary, feed = msgspec.to_builtins(self.gave.members()), msgspec.to_builtins(self.report)
        return common | {"ok": True, "summary": summary, "error": None, "feed": feed}

    def remarks(self) -> Iterator[str]:
        """Yield the lines below the table: how the batch came about, or why there is none."""
        if isinstance(self.gave, SourceError):
            yield f"{self.name}: {self.gave}"
            if self.gave.excerpt:
                yield f"{self.name}: {detail(self.gave)}"
        else:
            feed = msgspec.convert(self.report, Feed | None, from_attributes=True)
            yield from (f"{self.name}: {name}: {value}" for name, value in tables.feed(feed))


def detail(error: SourceError) -> str:
    """Return the part of an error that the API keeps from its callers."""
    meaning = "the path is" if isinstance(error, UnreadableFileError) else "it said:"
    return f"{meaning} {error.excerpt}"


async def check(options: Options, file: Path, names: Sequence[str]) -> None:
    """Validate the file, then fetch one batch of each source, or of those in `names`."""
    output = Output(as_json=options.json)
    structlog.configure(
        processors=[
            logs.merge_facts,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        found = settings.load(file)
    except SettingsError as error:
        raise CheckFailedError(str(error)) from None
    for name in names:
        if name not in found.sources:
            known = sorted(found.sources)
            meant = checks.nearest(name, known, f"one of {', '.join(known)}")
            raise click.UsageError(f"{file} has no source {name!r}: {meant}")
    names = names or sorted(found.sources)
    keyring = Keyring(os.environ)
    try:
        credentials.check(file, found, keyring, names)
    except SettingsError as error:
        raise CheckFailedError(str(error)) from None
    async with Catalogue(found, keyring=keyring, network=own_network()) as catalogue:
        outcomes = await _outcomes(output, found, names, catalogue)
    report(output, outcomes)


def own_network() -> Network:
    """Return how this command reaches other machines; raises CheckFailedError."""
    try:
        ours = process.load(process.NetworkSettings, os.environ)
        return network(proxy=ours.proxy, ca_file=ours.ca_file)
    except SettingsError as error:
        raise CheckFailedError(str(error)) from None


def report(output: Output, outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes; raises CheckFailedError when a source gave no batch."""
    failures = [it for it in outcomes if isinstance(it.gave, SourceError)]
    if output.as_json:
        for outcome in outcomes:
            output.document(msgspec.json.encode(outcome.document()))
    else:
        output.show(lists.checks(outcome.row() for outcome in outcomes))
        for outcome in outcomes:
            for remark in outcome.remarks():
                output.show(tidy(remark, tables.MAX_TEXT))
    if failures:
        raise CheckFailedError(f"{len(failures)} of {len(outcomes)} sources gave no batch")


async def _outcomes(
    output: Output, found: settings.Sources, names: Sequence[str], catalogue: Catalogue
) -> list[Outcome]:
    slots = asyncio.Semaphore(CONCURRENCY)

    async def ask(name: str) -> Outcome:
        async with slots:
            return await _ask(catalogue, name, found.sources[name])

    with output.progress(f"asking {', '.join(names)}"):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(name)) for name in names]
    return [task.result() for task in tasks]


async def _ask(catalogue: Catalogue, name: str, source: SourceSettings) -> Outcome:
    logs.about(source=name)
    begin = time.monotonic()
    try:
        fetched = await catalogue.fetch(name)
    except SourceError as error:
        return Outcome(name, source.kind, time.monotonic() - begin, error)
    took = time.monotonic() - begin
    return await outcome_of(name, source.kind, fetched, took, grid=source.grid)


async def outcome_of(
    name: str, kind: str, fetched: Fetched, seconds: float | None = None, *, grid: bool = False
) -> Outcome:
    """Return the outcome of a source that gave a batch, within `seconds` or those of its report."""
    gave = await asyncio.to_thread(_summary, fetched, grid=grid)
    took = fetched.report.seconds if seconds is None else seconds
    return Outcome(name, kind, took, gave, fetched.report)


def _summary(fetched: Fetched, *, grid: bool) -> Summary:
    return summarise(whole(fetched.batch), grid=grid)
