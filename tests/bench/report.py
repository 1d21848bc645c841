"""What people read: raw figures of both sides and their ratios."""

import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench import images, latest, memory, pipeline, scale, soak
from bench.rounds import Spread

NAME_WIDTH: Final = 30
CELL_WIDTH: Final = 24


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured; `load` is the load average of the minute before."""

    processors: int
    architecture: str
    python: str
    load: float


@dataclass(frozen=True, slots=True)
class Results:
    """Every round of everything."""

    machine: Machine
    get: Mapping[str, Mapping[str, Sequence[latest.Round]]]
    refresh: Mapping[str, Sequence[latest.Round]]
    pipeline: Mapping[str, Mapping[str, Sequence[pipeline.Round]]]
    memory: Sequence[memory.Row]


@dataclass(frozen=True, slots=True)
class Soaked:
    """A soak and where it was done."""

    machine: Machine
    soak: soak.Soak


@dataclass(frozen=True, slots=True)
class Scaled:
    """What large tables cost and where it was measured."""

    machine: Machine
    scale: scale.Scale


def machine() -> Machine:
    """Look at this machine."""
    return Machine(
        processors=os.process_cpu_count() or 1,
        architecture=platform.machine(),
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 2),
    )


def text(results: Results) -> str:
    """Return all tables; figures are medians of the rounds, with the least and the greatest."""
    tables = [
        *(_requests(name, sides) for name, sides in results.get.items()),
        _requests("POST /refresh", results.refresh),
        *(_pipeline(source, sides) for source, sides in results.pipeline.items()),
        _memory(results.memory),
    ]
    return "\n".join(
        [_title(results.machine), *(line for table in tables for line in ("", *table)), ""]
    )


def sizes(rows: Sequence[images.Row]) -> str:
    """Return the table of the images."""
    table = [_row("Images, MB", "base", "dependencies", "sources", "over base: ratio", "limit")]
    table += [
        _row(
            row.name,
            *(_mb(size) for size in (row.base, row.dependencies, row.sources)),
            f"{_mb(row.ours)}: {row.ours / row.base:.2f}",
            _mb(row.limit),
        )
        for row in rows
    ]
    return "\n".join([*table, ""])


def soak_head(here: Machine) -> str:
    """Return what stands above the samples of a soak."""
    names = [f"{name}, MB" for name in ("api", "fetch", "process", "valkey")]
    held = ("fetch", "process", "dead", "waiting", "keys")
    return f"{_title(here)}\n\n{_sample('jobs', 'seconds', *names, *held)}\n"


def sample(it: soak.Sample) -> str:
    """Return a line of a soak: RSS of the processes, then what Valkey holds."""
    held = (f"{count}" for count in it.valkey.values())
    seconds = f"{it.seconds:.0f}"
    return f"{_sample(f'{it.jobs:,}', seconds, *map(_mb, it.rss.values()), *held)}\n"


def soak_foot(it: soak.Soak) -> str:
    """Return what a soak came to."""
    rates = f"{it.jobs / it.seconds:.0f} jobs/s, callers were told to come back {it.refused} times"
    growths = [f"{name} {last / second:.3f}" for name, second, last in soak.growths(it.samples)]
    return f"\n{rates}\nlast quarter to second quarter: {', '.join(growths)}\n"


def scaled(here: Machine, it: scale.Scale) -> str:
    """Return the table of what large tables cost."""
    head = _row("Median (p99), ms", f"{it.few:,} rows", f"{it.many:,} rows", "ratio")
    table = [
        _row(few.name, _milliseconds(few), _milliseconds(many), f"{many.p50_ms / few.p50_ms:.2f}")
        for few, many in zip(it.before, it.after, strict=True)
    ]
    foot = f"filled in {it.seconds:.0f} s, {_mb(it.bytes)} MB with all indexes"
    return "\n".join([_title(here), "", head, *table, "", foot, ""])


def _milliseconds(it: scale.Figure) -> str:
    return f"{_significant(it.p50_ms)} ({_significant(it.p99_ms)})"


def _sample(*cells: str) -> str:
    return "".join(f"{cell:>12}" for cell in cells)


def _title(here: Machine) -> str:
    return (
        f"CPython {here.python}, {here.processors} processors ({here.architecture}),"
        f" load average before: {here.load}"
    )


def _requests(name: str, sides: Mapping[str, Sequence[latest.Round]]) -> Iterable[str]:
    yield _row(f"{name}, {_rounds(sides)}", "mousetrap", "bare ASGI", "ratio")
    yield _compared("requests/s", sides, lambda it: it.requests_per_s)
    yield _compared("requests/CPU-second", sides, lambda it: 1e6 / it.cpu_us_per_request)
    yield _compared("CPU us/request", sides, lambda it: it.cpu_us_per_request)
    yield _compared("latency p50, ms", sides, lambda it: it.p50_ms)
    yield _compared("latency p99, ms", sides, lambda it: it.p99_ms)


def _pipeline(source: str, sides: Mapping[str, Sequence[pipeline.Round]]) -> Iterable[str]:
    def stage(name: str) -> str:
        return _compared(f"  {name}", sides, lambda it: it.cpu_us_per_job[name])

    yield _row(f"Pipeline {source}, {_rounds(sides)}", "mousetrap", "bare stages", "ratio")
    yield _compared("jobs/s", sides, lambda it: it.jobs_per_s)
    yield _compared("CPU us/job", sides, lambda it: sum(it.cpu_us_per_job.values()))
    yield from map(stage, sides["mousetrap"][0].cpu_us_per_job)
    yield _compared("idle: 202 to stored, ms", sides, lambda it: it.accepted_to_stored_ms)


def _memory(rows: Sequence[memory.Row]) -> Iterable[str]:
    yield _row("Idle system, MB", "PSS", "RSS", "limit")
    for row in rows:
        times = f" ({row.processes})" if row.processes > 1 else ""
        yield _row(f"{row.name}{times}", _mb(row.pss), _mb(row.rss), _mb(row.limit))
    pss, rss = sum(row.pss for row in rows), sum(row.rss for row in rows)
    yield _row("in all", _mb(pss), _mb(rss), _mb(memory.LIMIT_IN_ALL))


def _compared[R](name: str, sides: Mapping[str, Sequence[R]], figure: Callable[[R], float]) -> str:
    mousetrap, bare = ([figure(it) for it in rounds] for rounds in sides.values())
    ratios = [ours / theirs for ours, theirs in zip(mousetrap, bare, strict=True)]
    return _row(name, *(_spread(Spread.of(values)) for values in (mousetrap, bare, ratios)))


def _rounds(sides: Mapping[str, Sequence[object]]) -> str:
    return f"{len(sides['bare'])} rounds"


def _spread(spread: Spread) -> str:
    shown = (_significant(it) for it in (spread.median, spread.least, spread.greatest))
    return "{} ({}-{})".format(*shown)


def _significant(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _mb(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.1f}"


def _row(name: str, *cells: str) -> str:
    return f"{name:<{NAME_WIDTH}}{''.join(f'{cell:>{CELL_WIDTH}}' for cell in cells)}".rstrip()
