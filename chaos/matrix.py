"""The failure matrix: the verdict on each fault that was injected alone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench import machine
from bench.machine import Machine
from chaos import oracle
from chaos.driver import Outcome
from chaos.oracle import Violation
from chaos.strike import Recoveries, Strike

TRUTH_WITHIN: Final = 5.0
"""Seconds within which `/health/ready` tells that a process cannot work."""
POLLED: Final = 0.5
"""Seconds that finding out takes."""
ANSWERED_WITHIN: Final = 8.0
"""Seconds that no request may take, whatever is struck: the deadlines of a call add up to five."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A fault that was injected alone, and the jobs that were requested until the next one was.

    `unready_in` is the time until each of the struck processes said that it cannot work, and
    `ready_in` that from the end of the fault until all said that they can; both are None where
    that is not expected, or did not happen. Times are in seconds. `flaws` are wrong answers;
    `skipped` says why the fault was not injected.
    """

    fault: str
    strikes: str
    lasted: float
    touched: int
    accepted: int
    lost: int
    duplicated: int
    stuck: int
    recovered_in: float | None
    unready_in: float | None
    ready_in: float | None
    slowest: float
    flaws: Sequence[str]
    failures: Sequence[str]
    skipped: str

    @property
    def passed(self) -> bool:
        """Whether the system withstood the fault."""
        return not self.failures


@dataclass(frozen=True, slots=True)
class Matrix:
    """All cells of a run, and the broken rules, which concern all of them."""

    seed: int
    machine: Machine
    seconds: float
    jobs: Mapping[str, int]
    violations: Sequence[Violation]
    cells: Sequence[Cell]

    @property
    def passed(self) -> bool:
        """Whether no rule is broken and no cell has failed."""
        return not self.violations and all(cell.passed for cell in self.cells)


def results(seed: int, seconds: float, outcome: Outcome, jobs: Mapping[str, int]) -> Matrix:
    """Assemble the results."""
    return Matrix(
        seed=seed,
        machine=machine.look(),
        seconds=round(seconds, 1),
        jobs=jobs,
        violations=outcome.violations,
        cells=list(_cells(outcome)),
    )


def text(found: Matrix) -> str:
    """Return a summary for people."""
    lines = [f"seed {found.seed}: {len(found.cells)} faults in {found.seconds:.0f} s"]
    for it in found.cells:
        verdict = it.skipped or ("pass" if it.passed else f"FAIL: {'; '.join(it.failures)}")
        lines.append(f"{it.fault:<32}{it.strikes:<28}{it.lasted:>6.1f} s  {verdict}")
    for violation in found.violations:
        lines.append(f"NOT SO: {violation.rule} ({violation.times} times)")
        lines += [f"    {it}" for it in violation.evidence]
    return "\n".join([*lines, ""])


def _cells(outcome: Outcome) -> Iterator[Cell]:
    recoveries = Recoveries(outcome.load.submissions, outcome.evidence.jobs)
    ends = [it.began_at for it in outcome.strikes[1:]]
    for strike, end in zip(outcome.strikes, [*ends, float("inf")], strict=True):
        yield _cell(outcome, strike, end, recoveries.after(strike))


def _cell(outcome: Outcome, strike: Strike, end: float, recovered_in: float | None) -> Cell:
    found, cell = outcome.evidence, strike.fault.cell
    accepted = [
        it.job_id
        for it in outcome.load.submissions
        if it.job_id is not None and strike.began_at <= it.submitted_at < end
    ]
    counts = Counter("lost" if it not in found.jobs else found.jobs[it].state for it in accepted)
    duplicated = sum(found.logged.ended[str(it)] > 1 for it in accepted)
    failures = (
        []
        if strike.skipped
        else [
            *(f"{counts[state]} jobs are {state}" for state in ("lost", "queued") if counts[state]),
            *([f"{duplicated} jobs ended twice"] if duplicated else []),
            *_late(strike, recovered_in),
            *strike.flaws,
        ]
    )
    return Cell(
        fault=cell.name,
        strikes=cell.target,
        lasted=round(strike.fault.lasts, 1),
        touched=strike.touched,
        accepted=len(accepted),
        lost=counts["lost"],
        duplicated=duplicated,
        stuck=counts["queued"],
        recovered_in=_rounded(recovered_in),
        unready_in=_rounded(strike.unready_in),
        ready_in=_rounded(strike.ready_in),
        slowest=round(strike.slowest, 2),
        flaws=strike.flaws,
        failures=failures,
        skipped=strike.skipped,
    )


def _late(strike: Strike, recovered_in: float | None) -> Iterator[str]:
    limit = oracle.limit(strike.fault.cell)
    if not strike.touched:
        yield "it touched nothing"
    if strike.slowest > ANSWERED_WITHIN:
        yield f"a request took {strike.slowest:.1f} s"
    if recovered_in is None:
        yield "no new job succeeded"
    elif recovered_in > limit:
        yield f"the next job succeeded after {recovered_in:.1f} s"
    if strike.ready_in is None:
        yield "not every process was ready again"
    elif strike.ready_in > limit + TRUTH_WITHIN:
        yield f"all processes were ready after {strike.ready_in:.1f} s"
    if strike.fault.lasts > TRUTH_WITHIN + POLLED and strike.expected:
        if strike.unready_in is None:
            yield "a process that could not work was ready"
        elif strike.unready_in > TRUTH_WITHIN + POLLED:
            yield f"a process that could not work was ready for {strike.unready_in:.1f} s"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
