"""An injected fault, and the time of the recovery."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from uuid import UUID

from chaos.evidence import Job
from chaos.load import Submission
from chaos.plan import Fault
from chaos.sources import SUCCEEDED


@dataclass(frozen=True, slots=True)
class Strike:
    """The begin and end of a fault, by the clock; for `touched` and `markers` see Act.

    `alone` means that no other fault began before the system had recovered.
    """

    fault: Fault
    began_at: float
    ended_at: float
    touched: int
    markers: Sequence[str] = ()
    alone: bool = False


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
        if job is not None and job.state == SUCCEEDED and job.finished_at is not None:
            yield submission.submitted_at, job.finished_at
