"""What can go wrong with the store."""


class StoreError(Exception):
    """Base of everything that this library raises."""


class StoreUnavailableError(StoreError):
    """Postgres cannot be used at the moment; the same call may succeed later."""


class SchemaError(StoreUnavailableError):
    """The schema of the database is older than this code."""


class DsnError(StoreUnavailableError):
    """The address of Postgres cannot be understood."""


class AccessError(StoreUnavailableError):
    """The role of this process may not do what it has to do."""


class DefectError(StoreError):
    """Postgres refuses a statement: a bug of this program, or tables that somebody altered."""


class UnknownRoleError(StoreError):
    """A role that is to be given rights does not exist."""


class LifecycleError(StoreError):
    """The database of this process is not open, or is to be opened a second time."""


class UnstorableValueError(StoreError):
    """A value is outside of what Postgres can hold."""


class IdempotencyKeyError(StoreError):
    """The text cannot be an idempotency key."""


class IdempotencyConflictError(StoreError):
    """The idempotency key belongs to a job for another source."""


class NotFailedError(StoreError):
    """The job has not failed, so there is nothing to retry."""


class ReplayTooLongError(StoreError):
    """More jobs changed than are told one by one."""


class UnknownJobError(StoreError):
    """There is no such job."""
