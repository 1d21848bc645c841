"""A job and the steps that it may take."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from mousetrap.jobs.errors import TransitionError
from mousetrap.jobs.state import SUCCESSORS, State


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed: `code` is for programs, `detail` tells a person what to do."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Job:
    """A request for a fresh summary of one source.

    Jobs are ordered by `sequence`, the order in which they were accepted. Times are aware and
    None until the stage is reached: `fetched_at` is when the batch was taken from the source,
    `finished_at` when the job succeeded or failed. `attempts` counts how often it was sent.
    """

    id: UUID
    sequence: int
    source: str
    state: State
    attempts: int
    requested_at: datetime
    fetched_at: datetime | None = None
    finished_at: datetime | None = None
    failure: Failure | None = None

    def succeed(self, *, fetched_at: datetime, at: datetime) -> "Job":
        """Return the job as it is once its summary is stored.

        Raises TransitionError when the job has already ended.
        """
        return replace(
            self._enter(State.SUCCEEDED), fetched_at=fetched_at, finished_at=at, failure=None
        )

    def fail(self, failure: Failure, *, at: datetime) -> "Job":
        """Return the job as it is once it is known that it has no summary.

        Raises TransitionError when the job has already ended.
        """
        return replace(self._enter(State.FAILED), finished_at=at, failure=failure)

    def _enter(self, state: State) -> "Job":
        if state not in SUCCESSORS[self.state]:
            raise TransitionError(
                f"job {self.id} is {self.state} and cannot become {state}: leave it as it is"
            )
        return replace(self, state=state)
