"""An injected fault, and the time of the recovery."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final
from uuid import UUID

from chaos.cells import Kind
from chaos.evidence import Job
from chaos.load import Submission
from chaos.plan import Fault
from chaos.sources import SUCCEEDED

LONGEST: Final = 600.0
"""Seconds from the request of a job to its success."""


@dataclass(frozen=True, slots=True)
class Strike:
    """The begin and end of a fault, by the clock; for `touched` and `markers` see Act.

    `alone` means that no other fault began before the system had recovered. Of one that is alone,
    `expected` are the kinds of processes that it should make unready, `unready_in` and `ready_in`
    the seconds until they said so, and that all are ready after its end; `flaws` and `slowest` are
    those of Load meanwhile. `skipped` is the reason why it was not injected.
    """

    fault: Fault
    began_at: float
    ended_at: float
    touched: int
    markers: Sequence[str] = ()
    alone: bool = False
    expected: frozenset[Kind] = frozenset()
    unready_in: float | None = None
    ready_in: float | None = None
    flaws: Sequence[str] = ()
    slowest: float = 0.0
    skipped: str = ""


class Recoveries:
    """The times of success of jobs, by the time of their submission."""

    def __init__(self, submissions: Iterable[Submission], jobs: Mapping[UUID, Job]) -> None:
        found = sorted(_successes(submissions, jobs))
        self._submitted = [submitted for submitted, _ in found]
        # For each job, the first success of it and all later ones.
        self._first = list(accumulate((ended for _, ended in reversed(found)), min))[::-1]

    def after(self, strike: Strike) -> float | None:
        """Return the seconds from a fault's end to the success of a job submitted after it."""
        index = bisect_left(self._submitted, strike.ended_at)
        return self._first[index] - strike.ended_at if index < len(self._first) else None


def _successes(
    submissions: Iterable[Submission], jobs: Mapping[UUID, Job]
) -> Iterator[tuple[float, float]]:
    for submission in submissions:
        job = jobs.get(submission.job_id) if submission.job_id is not None else None
        if job is None or job.state != SUCCEEDED or job.finished_at is None:
            continue
        # Where the clock of Postgres was set, its time tells nothing.
        if -1 < job.finished_at - submission.submitted_at < LONGEST:
            yield submission.submitted_at, job.finished_at
