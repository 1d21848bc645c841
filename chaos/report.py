"""The report of a run: everything as JSON, and a few lines for people."""

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench import machine
from bench.machine import Machine
from chaos import oracle
from chaos.cells import KINDS, Cell, Kind, Name
from chaos.driver import Outcome
from chaos.oracle import Violation
from chaos.plan import weight
from chaos.strike import Recoveries, Strike

OFTEN: Final = 5
"""The times that a fault comes which must have touched something by then."""


@dataclass(frozen=True, slots=True)
class Row:
    """An injected fault: see Act and Strike. It `began` some seconds after the first one."""

    name: Name
    kind: Kind
    replica: int | None
    began: float
    lasted: float
    touched: int
    alone: bool
    recovered_in: float | None
    server: Kind | None = None


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """A cell of the failure matrix, in seconds; `passed` is about recovery only.

    The limit applies to faults alone; those of a storm delay each other's recovery. A fault that
    touched nothing proves nothing. In a storm it may do so until it came OFTEN: another fault may
    have struck the process before, or too little passed in a few seconds.
    """

    name: Name
    kind: Kind
    times: int
    touched: int
    alone: float | None
    median: float | None
    worst: float | None
    limit: float
    passed: bool
    server: Kind | None = None

    @property
    def target(self) -> str:
        """The target of the fault, for people."""
        return Cell(self.name, self.kind, self.server).target


@dataclass(frozen=True, slots=True)
class Results:
    """The whole run; `violations` has the broken rules, which concern all cells."""

    seed: int
    kills: int
    machine: Machine
    seconds: float
    healed_in: float | None
    violations: Sequence[Violation]
    unfair: Sequence[str]
    matrix: Sequence[MatrixCell]
    jobs: Mapping[str, int]
    answers: Mapping[str, int]
    starts: Mapping[str, int]
    errors: Mapping[str, int]
    memory: Mapping[str, Sequence[int]]
    faults: Sequence[Row]


def results(seed: int, seconds: float, outcome: Outcome) -> Results:
    """Assemble the results."""
    found, load = outcome.evidence, outcome.load
    recoveries = Recoveries(load.submissions, found.jobs)
    timed = [(it, recoveries.after(it)) for it in outcome.strikes if not it.skipped]
    matrix = list(_matrix(timed))
    return Results(
        seed=seed,
        kills=sum(weight(strike.fault) for strike in outcome.strikes),
        machine=machine.look(),
        seconds=round(seconds, 1),
        healed_in=outcome.healed_in,
        violations=[*outcome.violations, *_slow(matrix), *_unhealed(outcome.healed_in)],
        unfair=oracle.unfair(found),
        matrix=matrix,
        jobs=jobs(outcome),
        answers=dict(sorted(load.answers.items())),
        starts=outcome.starts,
        errors=dict(found.logged.errors.most_common()),
        memory={
            **{k: [outcome.baseline.rss[k], v] for k, v in found.memory.rss.items()},
            Kind.QUEUE: [outcome.baseline.valkey, found.memory.valkey],
        },
        faults=_rows(timed),
    )


def text(results: Results) -> str:
    """Return a summary for people."""
    faults = f"{len(results.faults)} faults, {results.kills} processes killed"
    lines = [
        f"seed {results.seed}: {faults}, in {results.seconds:.0f} s",
        f"jobs: {_listed(results.jobs)}",
        f"answers: {_listed(results.answers)}",
        "healed: " + ("not in time" if results.healed_in is None else f"{results.healed_in:.1f} s"),
        *(
            f"{cell.name:<30}{cell.target:<28}{cell.times:>4} times ({cell.touched}),"
            f" recovered after {_seconds(cell.alone)} alone, {_seconds(cell.median)} (median),"
            f" {_seconds(cell.worst)} (worst){'' if cell.passed else ', TOO LATE'}"
            for cell in results.matrix
        ),
        *(f"error in the logs, {times} times: {it}" for it, times in results.errors.items()),
        *(f"not what its source deserves: {it}" for it in results.unfair[: oracle.SHOWN]),
        *_violations(results.violations),
    ]
    return "\n".join([*lines, ""])


def _violations(violations: Sequence[Violation]) -> Iterator[str]:
    for violation in violations:
        yield f"NOT SO: {violation.rule} ({violation.times} times)"
        yield from (f"    {it}" for it in violation.evidence)
    if not violations:
        yield "everything holds"


def jobs(outcome: Outcome) -> dict[str, int]:
    """Return the numbers of jobs by what became of them."""
    found = outcome.evidence.jobs
    accepted = outcome.load.accepted
    lost = [it for it in accepted if it not in found or found[it].state == "queued"]
    states = Counter(job.state for job in found.values())
    codes = Counter(job.error_code for job in found.values() if job.error_code is not None)
    return {
        "submitted": len(outcome.load.submissions),
        "accepted": len(accepted),
        "lost": len(lost),
        "duplicates": sum(times > 1 for times in outcome.evidence.logged.ended.values()),
        "dead letters": len(outcome.evidence.letters),
        "attempts": sum(job.attempts for job in found.values()),
        **states,
        **{f"failed: {code}": times for code, times in sorted(codes.items())},
    }


def _rows(timed: Sequence[tuple[Strike, float | None]]) -> list[Row]:
    start = min((strike.began_at for strike, _ in timed), default=0.0)
    return [
        Row(
            name=strike.fault.cell.name,
            kind=strike.fault.cell.kind,
            replica=strike.fault.replica,
            began=round(strike.began_at - start, 3),
            lasted=round(strike.ended_at - strike.began_at, 3),
            touched=strike.touched,
            alone=strike.alone,
            recovered_in=None if recovered is None else round(recovered, 3),
            server=strike.fault.cell.server,
        )
        for strike, recovered in timed
    ]


def _matrix(timed: Sequence[tuple[Strike, float | None]]) -> Iterator[MatrixCell]:
    names, kinds = list(Name), list(KINDS)
    for cell in sorted(
        {strike.fault.cell for strike, _ in timed},
        key=lambda it: (names.index(it.name), kinds.index(it.kind), it.server or ""),
    ):
        yield _cell(cell, [it for it in timed if it[0].fault.cell == cell])


def _cell(cell: Cell, here: Sequence[tuple[Strike, float | None]]) -> MatrixCell:
    times = [round(seconds, 3) for _, seconds in here if seconds is not None]
    alone = [seconds for strike, seconds in here if strike.alone]
    limit, touched = oracle.limit(cell), sum(strike.touched for strike, _ in here)
    return MatrixCell(
        name=cell.name,
        kind=cell.kind,
        times=len(here),
        touched=touched,
        alone=round(alone[0], 3) if alone and alone[0] is not None else None,
        median=round(statistics.median(times), 3) if times else None,
        worst=max(times, default=None),
        limit=limit,
        passed=(touched > 0 or (not alone and len(here) < OFTEN))
        and len(times) == len(here)
        and all(it is not None and it <= limit for it in alone),
        server=cell.server,
    )


def _slow(matrix: Sequence[MatrixCell]) -> Iterator[Violation]:
    slow = [
        f"{it.name} of {it.target}: {_seconds(it.alone)} alone, {_seconds(it.worst)} at worst,"
        f" {it.limit:g} s allowed; {it.touched} were touched"
        for it in matrix
        if not it.passed
    ]
    if slow:
        yield Violation("the system recovers in time", len(slow), slow)


def _unhealed(healed_in: float | None) -> Iterator[Violation]:
    if healed_in is None:
        yield Violation("all work is done and all processes are ready in time", 1, [])


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())
