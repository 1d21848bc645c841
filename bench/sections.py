"""The tables of a run: both sides, and their ratios."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from bench.results import (
    ARRAYS,
    BARE,
    BATCHED,
    CONVERTED,
    IMPORTS,
    IN_ALL,
    OURS,
    Drain,
    Latency,
    Passage,
    Requests,
    Resident,
    Results,
    Start,
)
from bench.tables import Table, megabytes, spread

LABELS: Final = {
    OURS: "mousetrap",
    BARE: "bare",
    BATCHED: "bare, batched",
    ARRAYS: "numpy, arrays alone",
    CONVERTED: "numpy, from points",
    IMPORTS: "imports alone",
}


def tables(results: Results) -> Iterator[Table]:
    """Return all tables; figures are medians of the rounds, with the lowest and the highest."""
    yield from (_requests(name, sides) for name, sides in results.requests.items())
    yield from (_pipeline(source, sides) for source, sides in results.pipeline.items())
    yield _drain(results.drain)
    yield _latency(results.latency)
    yield _compared("geo, 100,000 points", results.geo, {"CPU ms/summary": float})
    yield from (_start(process, sides) for process, sides in results.starts.items())
    yield _memory(results.memory)


def _requests(name: str, sides: Mapping[str, Sequence[Requests]]) -> Table:
    figures: dict[str, Callable[[Requests], float]] = {
        "requests/s": lambda it: it.requests_per_s,
        "requests/CPU-second": lambda it: 1e6 / it.cpu_us_per_request,
        "CPU us/request": lambda it: it.cpu_us_per_request,
        "latency p50, ms": lambda it: it.p50_ms,
        "latency p99, ms": lambda it: it.p99_ms,
    }
    return _compared(name, sides, figures)


def _pipeline(source: str, sides: Mapping[str, Sequence[Passage]]) -> Table:
    figures: dict[str, Callable[[Passage], float]] = {
        "jobs/s": lambda it: it.jobs_per_s,
        "CPU us/job": lambda it: sum(it.cpu_us_per_job.values()),
        **_by_process(sides[OURS][0].cpu_us_per_job),
        "idle: 202 to stored, ms": lambda it: it.accepted_to_stored_ms,
    }
    return _compared(f"Pipeline {source}", sides, figures)


def _drain(sides: Mapping[str, Sequence[Drain]]) -> Table:
    figures: dict[str, Callable[[Drain], float]] = {
        "jobs/s": lambda it: it.jobs_per_s,
        "CPU us/job, both workers": lambda it: sum(it.cpu_us_per_job.values()),
        **_by_process(sides[OURS][0].cpu_us_per_job),
    }
    return _compared("Backlog 1-point", sides, figures)


def _by_process(names: Iterable[str]) -> dict[str, Callable[[Passage | Drain], float]]:
    def used_by(name: str) -> Callable[[Passage | Drain], float]:
        return lambda it: it.cpu_us_per_job[name]

    return {f"- {name}": used_by(name) for name in names}


def _latency(sides: Mapping[str, Sequence[Latency]]) -> Table:
    figures: dict[str, Callable[[Latency], float]] = {
        "due to stored p50, ms": lambda it: it.p50_ms,
        "due to stored p99, ms": lambda it: it.p99_ms,
    }
    return _compared("Open loop 1-point", sides, figures)


def _start(process: str, sides: Mapping[str, Sequence[Start]]) -> Table:
    figures: dict[str, Callable[[Start], float]] = {
        "until it is ready, ms": lambda it: it.ready_ms,
        "CPU ms until then": lambda it: it.cpu_ms,
        "RSS then, MB": lambda it: it.rss / 1e6,
    }
    return _compared(f"Start of {process}", sides, figures)


def _compared[R](
    title: str,
    sides: Mapping[str, Sequence[R]],
    figures: Mapping[str, Callable[[R], float]],
) -> Table:
    yardsticks = [side for side in sides if side != OURS]
    head = [cell for side in yardsticks for cell in (LABELS[side], "ratio")]
    rows = [
        [name, *_cells({side: [*map(figure, sides[side])] for side in (OURS, *yardsticks)})]
        for name, figure in figures.items()
    ]
    return Table(f"{title}, {len(sides[OURS])} rounds", [LABELS[OURS], *head], rows)


def _cells(values: Mapping[str, Sequence[float]]) -> Iterator[str]:
    for side, theirs in values.items():
        yield spread(theirs)
        if side != OURS:
            yield spread([ours / it for ours, it in zip(values[OURS], theirs, strict=True)])


def _memory(found: Sequence[Resident]) -> Table:
    rows = [
        [
            f"{it.name} ({it.processes})" if it.processes > 1 else it.name,
            *map(megabytes, (it.pss, it.rss, it.limit)),
        ]
        for it in found
    ]
    pss, rss = sum(it.pss for it in found), sum(it.rss for it in found)
    rows.append(["in all", *map(megabytes, (pss, rss, IN_ALL))])
    return Table("Idle system, MB", ["PSS", "RSS", "limit"], rows)
