"""A job as it is stored and shown."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from mousetrap.jobs.state import State


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason of a failure: `code` is for programs, `detail` tells a person what to do."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """A failed attempt of a job: its `number`, counted from 1, and the reason."""

    number: int
    failed_at: datetime
    failure: Failure


@dataclass(frozen=True, slots=True)
class Job:
    """A request for a fresh summary of one source.

    Jobs are ordered by `sequence`, the order in which they were accepted. Times are aware and
    None until the stage is reached: `fetched_at` is when the batch was taken from the source,
    `finished_at` when the job succeeded or failed. `attempts` counts how often it was sent, and
    `slot` is the time at which its source's schedule asked for it; None if a caller did.
    `next_attempt_at` is when the next attempt is sent after one that failed; None while no attempt
    waits.
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
    slot: datetime | None = None
    next_attempt_at: datetime | None = None
