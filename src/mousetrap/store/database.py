"""The database of a process."""

from collections.abc import Awaitable, Callable, Collection
from typing import Self

from mousetrap.runtime.retry import retry
from mousetrap.store.changes import ChangeStore
from mousetrap.store.coalescing import CoalescingStore
from mousetrap.store.dead_letters import DeadLetterStore
from mousetrap.store.engine import Engine, Usage
from mousetrap.store.errors import AccessError, SchemaError, StandbyError, StoreUnavailableError
from mousetrap.store.follow_ups import FollowUpStore
from mousetrap.store.jobs import JobStore
from mousetrap.store.leases import LeaseStore
from mousetrap.store.notices import Notices
from mousetrap.store.outcomes import OutcomeStore
from mousetrap.store.retention import RetentionStore
from mousetrap.store.schedule import ScheduleStore
from mousetrap.store.schema.version import APP, MIGRATIONS
from mousetrap.store.summaries import SummaryStore

_STATE = """
    SELECT pg_is_in_recovery() AS standby,
        ARRAY(SELECT name::text FROM migration WHERE app_name = $1) AS applied
"""


class Database:
    """The jobs and summaries in Postgres; to be used as `async with Database(dsn) as database`.

    Entering opens no connection, so it works while Postgres is away. A pool opens up to `pool_size`
    connections on demand, also after an outage. Every call ends within `deadline` seconds, which
    include the wait for a free connection. Watching `notices` takes one more connection. The
    reconciler looks for the message of an accepted job after `lease` seconds; `name` is shown to
    the operator of Postgres. Summaries are stored with a follow-up for each of the stages
    `followed_by`. Entering it a second time raises LifecycleError.
    """

    def __init__(  # noqa: PLR0913 - each is a plain number or name
        self,
        dsn: str,
        *,
        pool_size: int = 5,
        deadline: float = 5.0,
        lease: float = 10.0,
        name: str = APP,
        followed_by: Collection[str] = (),
    ) -> None:
        self.engine = Engine(dsn, pool_size=pool_size, deadline=deadline, name=name)
        self.jobs = JobStore(self.engine, lease)
        self.coalescing = CoalescingStore(self.engine, lease)
        self.schedule = ScheduleStore(self.engine, lease)
        self.leases = LeaseStore(self.engine)
        self.outcomes = OutcomeStore(self.engine, followed_by)
        self.follow_ups = FollowUpStore(self.engine)
        self.summaries = SummaryStore(self.engine)
        self.changes = ChangeStore(self.engine)
        self.dead_letters = DeadLetterStore(self.engine)
        self.retention = RetentionStore(self.engine)
        self.notices = Notices(dsn, self.jobs, deadline=deadline, name=name)

    async def __aenter__(self) -> Self:
        await self.engine.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.close()

    async def persist[T](
        self, call: Callable[[], Awaitable[T]], doing: str, *, patience: float
    ) -> T:
        """Return what `call` returns, calling it again during an outage of the database.

        Raises its StoreUnavailableError after `patience` seconds, provided that the database is
        usable then, so that the call itself is at fault. `doing` names the work in the logs.
        """
        return await retry(
            call,
            doing,
            on=(StoreUnavailableError,),
            patience=patience,
            may_give_up=self._is_at_fault,
        )

    async def _is_at_fault(self, error: Exception) -> bool:
        if isinstance(error, AccessError):
            return False  # a missing right is no fault of a call: giving it up would not help
        try:
            await self.ping()
        except StoreUnavailableError:
            return False
        return True

    def usage(self) -> Usage:
        """Return the use of the pool."""
        return self.engine.usage()

    async def ping(self) -> None:
        """Return if Postgres is usable and its schema is at least the one of this code.

        Raises StoreUnavailableError, StandbyError if Postgres is read-only, or SchemaError. A newer
        schema is fine: migrations only add, so that old and new processes run side by side during
        an update.
        """
        [state] = await self.engine.fetch(_STATE, APP)
        if state["standby"]:
            raise StandbyError
        missing = [migration for migration in MIGRATIONS if migration not in state["applied"]]
        if missing:
            raise SchemaError(
                f"migration {missing[0]} has not been applied: run `process_worker migrate`"
            )
