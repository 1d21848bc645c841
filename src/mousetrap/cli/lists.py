"""Lists of jobs, summaries, dead letters, queues and sources: one a line."""

from collections.abc import Iterable, Sequence
from typing import Final

from mousetrap.cli.columns import SECONDS, Column, Layout, Listing
from mousetrap.cli.schema import Circuit, Job, Letter, Queue, Source, Summary
from mousetrap.cli.tables import NONE, duration, place, position, reason, time, took

PREFIX: Final = "mousetrap:"
"""Begins the names of the streams in Redis; people know the queues without it."""

_JOB: Final = Column("JOB", 36)
_SOURCE: Final = Column("SOURCE", 12, cut=True)
_POSITION: Final = len("66.0942° N 111.2363° E")
# The widths of the columns that stay are made for a terminal of 80 columns.
_JOBS: Final = Layout(
    (
        _JOB,
        _SOURCE,
        Column("STATE", len("succeeded")),
        Column("ATTEMPTS"),
        Column.of_times("REQUESTED"),
        Column("TOOK", len("59 min 59 s")),
        Column("ERROR", 15, cut=True),
    ),
    leaving=(SECONDS, "ATTEMPTS", "TOOK", "ERROR", "REQUESTED", "SOURCE", "STATE"),
)
_SUMMARIES: Final = Layout(
    (
        _JOB,
        _SOURCE,
        Column.of_times("REQUESTED"),
        Column("POINTS", len("1,000,000")),
        Column("CENTROID", _POSITION),
        Column("MOST NORTHERLY", _POSITION, cut=True),
    ),
    leaving=(SECONDS, "MOST NORTHERLY", "CENTROID", "REQUESTED", "SOURCE", "POINTS"),
)
_QUEUES: Final = Layout(
    (Column("QUEUE"), Column("MESSAGES"), Column("OLDEST"), Column("WORKERS")),
)
_STATES: Final = Layout(
    (
        _SOURCE,
        Column("EVERY"),
        Column("POINTS"),
        Column.of_times("NEWEST"),
        Column.of_times("NEXT"),
        Column("STATE", len("failing: too-many-points"), cut=True),
    ),
    leaving=(SECONDS, "NEXT", "EVERY", "NEWEST"),
)
_LETTERS: Final = Layout(
    (
        Column.of_times("BURIED"),
        Column("QUEUE", len("process")),
        _JOB,
        Column("DELIVERIES"),
        Column("BYTES", len("100,000")),
        Column("REASON", 14, cut=True),
    ),
    leaving=("BYTES", "DELIVERIES", SECONDS, "QUEUE", "BURIED", "REASON"),
)
_SOURCES: Final = Layout(
    (
        Column("SOURCE", 16, cut=True),
        Column("KIND"),
        Column("EVERY"),
        Column("CIRCUIT", 12, cut=True),
        Column("POINTS"),
        Column.of_times("NEWEST"),
    ),
    leaving=(SECONDS, "KIND", "EVERY", "NEWEST"),
)
_CHECKS: Final = Layout(
    (
        _SOURCE,
        Column("KIND"),
        Column("POINTS"),
        Column("CENTROID"),
        Column("MOST NORTHERLY", _POSITION, cut=True),
        Column("TOOK"),
    ),
    leaving=("KIND", "TOOK", "CENTROID"),
)


def jobs(found: Iterable[Job], *, header: bool) -> Listing:
    """Return jobs, one a line; only the first page has a `header`."""
    return Listing(_JOBS, (_job(it) for it in found), header=header)


def summaries(found: Iterable[Summary], *, header: bool) -> Listing:
    """Return summaries, one a line; only the first page has a `header`."""
    return Listing(_SUMMARIES, (_listed(it) for it in found), header=header)


def queues(found: Iterable[Queue]) -> Listing:
    """Return the queues and their workers, one a line."""
    return Listing(_QUEUES, (_queue(it) for it in found))


def states(found: Iterable[Source]) -> Listing:
    """Return how the sources are, one a line."""
    return Listing(_STATES, (_state(it) for it in found))


def letters(found: Iterable[Letter], *, header: bool) -> Listing:
    """Return dead letters, one a line; only the first page has a `header`."""
    return Listing(_LETTERS, (_letter(it) for it in found), header=header)


def sources(found: Iterable[Source]) -> Listing:
    """Return the sources that the API knows, one a line."""
    return Listing(_SOURCES, (_source(it) for it in found))


def checks(rows: Iterable[Sequence[str]]) -> Listing:
    """Return the results of checks, one a line."""
    return Listing(_CHECKS, rows)


def _listed(found: Summary) -> tuple[str, ...]:
    return (
        found.job_id,
        found.source,
        time(found.requested_at),
        f"{found.count:,}",
        NONE if found.centroid is None else position(*found.centroid),
        place(found.most_northerly),
    )


def _queue(found: Queue) -> tuple[str, ...]:
    oldest = NONE if found.oldest_seconds is None else duration(found.oldest_seconds)
    return (
        found.name,
        f"{found.messages:,}",
        oldest,
        str(found.workers) if found.workers else "none",
    )


def _state(found: Source) -> tuple[str, ...]:
    newest = found.newest
    return (
        found.name,
        found.every or NONE,
        NONE if newest is None else f"{newest.count:,}",
        NONE if newest is None else time(newest.requested_at),
        time(found.next_scheduled_at),
        _condition(found),
    )


def _condition(found: Source) -> str:
    """Return how a source is, by the same rule as the dashboard (`sources.js`)."""
    job, circuit = found.newest_job, found.circuit
    if job is not None and job.error is not None:
        return f"failing: {reason(job.error)}"
    if circuit is not None and circuit.failures:
        row = f"{circuit.failures} in a row"
        return f"failing: {circuit.last_error}, {row}, circuit {circuit.state}"
    if job is None and found.newest is None:
        return "never tried"
    if found.stale:
        return "stale: older than its schedule allows"
    return "refreshing" if job is not None and job.state == "queued" else "fresh"


def _job(found: Job) -> tuple[str, ...]:
    return (
        found.job_id,
        found.source,
        found.state,
        str(found.attempts),
        time(found.requested_at),
        took(found),
        NONE if found.error is None else reason(found.error),
    )


def _letter(found: Letter) -> tuple[str, ...]:
    return (
        time(found.buried_at),
        found.queue.removeprefix(PREFIX),
        found.job_id or NONE,
        str(found.deliveries),
        f"{found.size:,}",
        found.reason,
    )


def _source(found: Source) -> tuple[str, ...]:
    newest = found.newest
    return (
        f"{found.name} (default)" if found.default else found.name,
        found.kind,
        found.every or "on request",
        _circuit(found.circuit),
        NONE if newest is None else f"{newest.count:,}",
        NONE if newest is None else time(newest.requested_at),
    )


def _circuit(found: Circuit | None) -> str:
    if found is None:
        return NONE
    return found.state if found.state == "closed" else f"{found.state}: {found.last_error}"
