"""Tables of growth for people: rows, backlogs, workers, listeners."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench import backlog, scale, soak, tables
from bench.backlog import Drained, Held, Sample
from bench.machine import Machine
from bench.streams import Streams
from bench.tables import Table, megabytes, significant, spread
from bench.workers import Round

COLUMNS: Final = (
    *("jobs", "seconds", "jobs/s"),
    *("api, MB", "fetch, MB", "process, MB", "valkey, MB", "postgres, MB"),
    *("/queues, ms", "/jobs, ms"),
)


@dataclass(frozen=True, slots=True)
class Scaled:
    """The cost of large tables, and the machine."""

    machine: Machine
    scale: scale.Scale


@dataclass(frozen=True, slots=True)
class Backlog:
    """A drained backlog, and the machine."""

    machine: Machine
    backlog: Drained


@dataclass(frozen=True, slots=True)
class Workers:
    """Backlogs drained by different numbers of workers, and the machine."""

    machine: Machine
    workers: Sequence[Round]


@dataclass(frozen=True, slots=True)
class Listeners:
    """The cost of many listeners, and the machine."""

    machine: Machine
    streams: Streams


def rows(it: scale.Scale) -> Table:
    """Return the table of the cost of large tables."""
    head = [f"{it.few:,} rows", f"{it.many:,} rows", "ratio"]
    body = [
        [few.name, _milliseconds(few), _milliseconds(many), f"{many.p50_ms / few.p50_ms:.2f}"]
        for few, many in zip(it.before, it.after, strict=True)
    ]
    return Table("Median (p99), ms", head, body)


def filled(it: scale.Scale) -> str:
    """Return how long it took to fill the tables, and their size."""
    return f"filled in {it.seconds:.0f} s, {megabytes(it.bytes)} MB with all indexes"


def backlog_head() -> str:
    """Return the head of the samples of a backlog."""
    return _line(COLUMNS)


def backlog_line(it: Sample) -> str:
    """Return a line of a backlog."""
    return _line(_cells(it))


def backlog_table(it: Drained) -> Table:
    """Return the samples of a backlog."""
    first, *others = COLUMNS
    return Table(first, others, [_cells(each) for each in it.samples])


def backlog_facts(it: Drained) -> Iterator[str]:
    """Return the results of a backlog, a line each."""
    growths = [f"{name} {last / second:.3f}" for name, second, last in soak.growths(it.samples)]
    cpu = ", ".join(f"{name} {each:.0f}" for name, each in it.cpu_us_per_job.items())
    speed = f"{it.jobs / it.seconds:,.0f} jobs/s"
    yield f"queued in {it.filled_in:.0f} s, drained in {it.seconds:.0f} s: {speed}"
    yield f"bytes of a queued job: {_held(it.queued)}"
    yield f"bytes of its work: {_held(it.done)}"
    yield f"transactions for a job, reads included: {it.done.commits:.2f}"
    yield f"CPU us/job: {cpu}"
    yield f"memory, last quarter to second quarter: {', '.join(growths)}"
    yield "; ".join(backlog.flaws(it)) or "each job succeeded once, nothing was sent twice"


def workers_table(rounds: Sequence[Round]) -> Table:
    """Return the table of workers: medians, for jobs/s also the lowest and the highest."""
    names = [*rounds[0].cpu_us_per_job]
    head = ["jobs/s", "ratio", *(f"{name}, CPU us/job" for name in names), "in all"]
    alone = statistics.median(_speeds(rounds, 1))
    body = []
    for count in sorted({it.workers for it in rounds}):
        speeds = _speeds(rounds, count)
        cpu = [
            statistics.median(it.cpu_us_per_job[name] for it in rounds if it.workers == count)
            for name in names
        ]
        ratio = f"{statistics.median(speeds) / alone:.2f}"
        body.append([str(count), spread(speeds), ratio, *map(significant, (*cpu, sum(cpu)))])
    return Table("workers of each kind", head, body)


def streams_table(it: Streams) -> Table:
    """Return the table of the cost of many listeners."""
    before, after = it.newest.values()
    told = {
        "half of them told after, ms": [each.half_ms for each in it.reach],
        "all of them told after, ms": [each.all_ms for each in it.reach],
        "GET / meanwhile at most, ms": [each.stall_ms for each in it.reach],
        "CPU of the API for a job, ms": [each.cpu_ms for each in it.reach],
    }
    body = [
        ["RSS of the API, MB", megabytes(it.before.rss), megabytes(it.idle.rss)],
        ["CPU while idle, %", *(f"{idle.cpu * 100:.2f}" for idle in (it.before, it.idle))],
        ["GET /, p50, ms", significant(before.p50_ms), significant(after.p50_ms)],
        ["GET /, p99, ms", significant(before.p99_ms), significant(after.p99_ms)],
        *([name, "", spread(values)] for name, values in told.items()),
    ]
    return Table("GET /events", ["no listener", f"{it.clients:,} listeners"], body)


def streams_facts(it: Streams) -> Iterator[str]:
    """Return how listeners connected and ended, a line each."""
    each = (it.idle.rss - it.before.rss) / it.clients / 1e3
    yield f"connected in {it.connected_in:.1f} s, {each:.1f} kB each"
    yield f"stopped in {it.stopped_in:.1f} s, {it.ended:,} streams ended in good order"


def text(here: Machine, table: Table, facts: Iterable[str] = ()) -> str:
    """Return a table with its machine and facts."""
    return "\n".join([f"{here}\n", tables.console(table), *facts, ""])


def _milliseconds(it: scale.Figure) -> str:
    return f"{significant(it.p50_ms)} ({significant(it.p99_ms)})"


def _cells(it: Sample) -> list[str]:
    return [
        *(f"{it.jobs:,}", f"{it.seconds:.0f}", f"{it.jobs_per_s:,.0f}"),
        *map(megabytes, (*it.rss.values(), it.postgres)),
        *(f"{it.queues_ms:.1f}", f"{it.queued_ms:.1f}"),
    ]


def _speeds(rounds: Sequence[Round], count: int) -> list[float]:
    return [it.jobs_per_s for it in rounds if it.workers == count]


def _held(it: Held) -> str:
    return (
        f"{it.valkey:,.0f} in Valkey, {it.file:,.0f} in its file,"
        f" {it.tables:,.0f} in Postgres, {it.log:,.0f} in its log"
    )


def _line(cells: Iterable[str]) -> str:
    return "".join(f"{cell:>13}" for cell in cells) + "\n"
