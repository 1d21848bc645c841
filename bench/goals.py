"""The goals of docs/performance.md, and whether they are met.

A goal is a bound on a ratio to a yardstick of the same run, or on a figure itself.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.peers.results import Match
from bench.results import BARE, BATCHED, IMPORTS, OURS, Results
from bench.sections import LABELS
from bench.tables import Table, significant, spread


@dataclass(frozen=True, slots=True)
class Bound:
    """The lower or upper bound of a figure."""

    limit: float
    least: bool

    def allows(self, value: float) -> bool:
        """Tell whether a value is within the bound."""
        return value >= self.limit if self.least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.least else '≤'} {significant(self.limit)}"


@dataclass(frozen=True, slots=True)
class Goal:
    """The figures of each round on one or both sides, and their bound.

    The bound applies to the median of the ratios of ours to theirs or, without theirs, of ours.
    """

    name: str
    bound: Bound
    ours: Sequence[float]
    yardstick: str = ""
    theirs: Sequence[float] = field(default_factory=tuple)

    @property
    def figures(self) -> Sequence[float]:
        """The figures to compare with the bound."""
        if not self.theirs:
            return self.ours
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def met(self) -> bool:
        """Tell whether the goal is met."""
        return self.bound.allows(statistics.median(self.figures))


def least(limit: float) -> Bound:
    """Return a lower bound."""
    return Bound(limit, least=True)


def most(limit: float) -> Bound:
    """Return an upper bound."""
    return Bound(limit, least=False)


def table(goals: Sequence[Goal]) -> Table:
    """Return all goals with their figures."""
    rows = [
        [
            goal.name,
            spread(goal.ours),
            f"{goal.yardstick}: {spread(goal.theirs)}" if goal.theirs else "",
            spread(goal.figures) if goal.theirs else "",
            str(goal.bound),
            "met" if goal.met else "not met",
        ]
        for goal in goals
    ]
    met = sum(goal.met for goal in goals)
    title = f"{met} of {len(goals)} goals are met"
    return Table(title, ["mousetrap", "beside it", "ratio", "goal", "outcome"], rows)


def of(results: Results) -> Iterator[Goal]:
    """Return the goals for which one run has figures."""
    yield from _requests(results)
    yield from _pipeline(results)
    for process, sides in results.starts.items():
        name = f"start of {process} until it is ready, ms"
        yield _beside(name, most(1.5), _each(sides, lambda it: it.ready_ms), IMPORTS)
    for process, limit in {"api": 86, "fetch_worker": 83, "process_worker": 82}.items():
        rss = [it.rss / 1e6 for it in results.memory if it.name == process]
        yield Goal(f"RSS of {process}, idle, MB", most(limit), rss)


def ahead(matches: Mapping[str, Match]) -> Goal:
    """Return the goal of draining a backlog faster than the fastest peer."""
    drains = {
        name: [[it.drain for it in side] for side in (match.ours, match.theirs)]
        for name, match in matches.items()
    }
    fastest = max(drains, key=lambda name: statistics.median(drains[name][1]))
    ours, theirs = drains[fastest]
    return Goal("backlog beside the peers, jobs/s", least(4), ours, fastest, theirs)


def flat(jobs: int, growths: Sequence[float]) -> Iterator[Goal]:
    """Return the goals of a backlog: its length, and that no process grew in it."""
    yield Goal("jobs of a backlog that was drained", least(1_000_000), [jobs])
    name = f"RSS through {jobs:,} jobs, last quarter to second, the most of all processes"
    yield Goal(name, most(1.1), [max(growths)])


def _requests(results: Results) -> Iterator[Goal]:
    for name, limit in {
        "GET /": 0.75,
        "GET /, known": 0.75,
        "GET /summaries": 0.8,
        "POST /refresh, one caller": 0.5,
        "POST /refresh, 32 callers": 1.1,
    }.items():
        speeds = _each(results.requests[name], lambda it: 1e6 / it.cpu_us_per_request)
        yield _beside(f"{name}, requests/CPU-second", least(limit), speeds, BARE)
    speeds = _each(results.requests[name], lambda it: it.requests_per_s)
    yield _beside(f"{name}, requests/s", least(1.1), speeds, BARE)


def _pipeline(results: Results) -> Iterator[Goal]:
    speeds = _each(results.drain, lambda it: it.jobs_per_s)
    yield _beside("backlog, jobs/s", least(0.42), speeds, BATCHED)
    seconds = _each(results.drain, lambda it: sum(it.cpu_us_per_job.values()) / 1e3)
    name = "backlog, CPU seconds of both workers per 1,000 jobs"
    # 0.25 s where the loops take 0.39 s.
    yield _beside(name, most(0.25 / 0.39), seconds, BARE)
    medians = _each(results.latency, lambda it: it.p50_ms)
    yield _beside("50 jobs/s, due to stored, p50 in ms", most(1.4), medians, BARE)
    tails = _each(results.latency, lambda it: it.p99_ms)
    yield _beside("50 jobs/s, due to stored, p99 in ms", most(1.6), tails, BARE)


def _each[R](
    sides: Mapping[str, Sequence[R]], figure: Callable[[R], float]
) -> dict[str, list[float]]:
    return {side: [*map(figure, rounds)] for side, rounds in sides.items()}


def _beside(name: str, bound: Bound, sides: Mapping[str, Sequence[float]], yardstick: str) -> Goal:
    return Goal(name, bound, sides[OURS], LABELS[yardstick], sides[yardstick])
