"""Errors of the store."""

from uuid import UUID


class StoreError(Exception):
    """Base of the errors of this library."""


class StoreUnavailableError(StoreError):
    """Postgres cannot be used at the moment; the same call may succeed later.

    `sent` is False when Postgres has certainly not seen the statement, so nothing was changed. Else
    its answer was lost or late, and what it was to change may have been changed.
    """

    sent = True


class OutcomeUnknownError(StoreUnavailableError):
    """Whether the job `job_id` was stored or changed is not known: look at it, or ask again."""

    def __init__(self, message: str, job_id: UUID) -> None:
        super().__init__(message)
        self.job_id = job_id


class SchemaError(StoreUnavailableError):
    """The schema of the database is older than this code."""


class DsnError(StoreUnavailableError):
    """The DSN of Postgres cannot be parsed."""


class PoolerError(StoreUnavailableError):
    """A pooler in front of Postgres does not keep sessions: set its pool_mode to session."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class StandbyError(StoreUnavailableError):
    """Postgres is a standby, which is read-only: name the primary in the address."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class NoPrimaryError(StoreUnavailableError):
    """No host in the address accepts writes: promote a standby, or name the primary as well."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class UnreplicatedError(StoreUnavailableError):
    """Postgres has committed, but its synchronous standby may lack that: ask again."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class AccessError(StoreUnavailableError):
    """The role of this process lacks a right that it needs."""


class DefectError(StoreError):
    """Postgres refuses a statement: a bug of this program, or tables that somebody altered."""


class UnknownRoleError(StoreError):
    """A role to be granted rights does not exist."""


class LifecycleError(StoreError):
    """The database is not open, or is opened a second time."""


class UnstorableValueError(StoreError):
    """A value is outside of what Postgres can hold."""


class IdempotencyKeyError(StoreError):
    """The text cannot be an idempotency key."""


class IdempotencyConflictError(StoreError):
    """The idempotency key belongs to a job for another source."""


class NotFailedError(StoreError):
    """The job has not failed, so there is nothing to retry."""


class TooManyRetriesError(StoreError):
    """The job was retried too often: request another one."""


class ReplayTooLongError(StoreError):
    """Too many jobs changed to replay them one by one."""


class EarlierBatchError(StoreError):
    """A batch that the version before stored cannot be had in this format."""


class UnknownJobError(StoreError):
    """There is no such job."""
