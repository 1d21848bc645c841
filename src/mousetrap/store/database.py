"""The database of a process."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractContextManager
from typing import Any, Self

from mousetrap.runtime.retry import retry
from mousetrap.store import replication
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
from mousetrap.store.schema.grants import WANTED
from mousetrap.store.schema.version import APP, MIGRATIONS
from mousetrap.store.summaries import SummaryStore

# The last column is more rows than fit into work_mem, as it is set before for this statement alone:
# Postgres puts them into a file of some 130 kB beside its tables, and fails when its disk is full.
_STATE = f"""
    SELECT pg_is_in_recovery() AS standby,
        ARRAY(SELECT name::text FROM migration WHERE app_name = $1) AS applied,
        ARRAY(
            SELECT format('%s ON %s', privilege, name)
            FROM unnest($2::text[], $3::text[]) AS wanted (privilege, name)
            WHERE NOT CASE privilege
                WHEN 'DELETE' THEN has_table_privilege(to_regclass(name), privilege)
                ELSE has_any_column_privilege(to_regclass(name), privilege)
            END
        ) AS lacking,
        (
            SELECT count(*)
            FROM concat(
                set_config('work_mem', '64kB', true), set_config('temp_tablespaces', '', true)
            ) AS it (set) CROSS JOIN LATERAL generate_series(1, 4000 + 0 * length(it.set))
        ) AS spilled,
        {replication.AWAIT} AS replicated
"""  # noqa: S608 - made of constants


class Database:
    """The jobs and summaries in Postgres; to be used as `async with Database(dsn) as database`.

    Entering opens no connection, so it works while Postgres is away. A pool opens up to `pool_size`
    connections on demand, also after an outage. Every call ends within `deadline` seconds, which
    include the wait for a free connection. Watching `notices` takes one more connection. The
    reconciler looks for the message of an accepted job after `lease` seconds; `name` is shown to
    the operator of Postgres. Summaries are stored with a follow-up for each of the stages
    `followed_by`. A database of a `process` is ready when its role has the rights of that process.
    Entering it a second time raises LifecycleError.
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
        process: str | None = None,
    ) -> None:
        self._wanted = WANTED[process] if process else ()
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

    def together(self) -> AbstractContextManager[None]:
        """Let all calls within the block end within the deadline of one of them."""
        return self.engine.together()

    def usage(self) -> Usage:
        """Return the use of the pool."""
        return self.engine.usage()

    async def ping(self) -> None:
        """Return if Postgres can be read and written and its schema is at least that of this code.

        Raises StoreUnavailableError, as for a full disk or while the synchronous standby is away,
        StandbyError, SchemaError, or AccessError if the role lacks a right of its process. A newer
        schema is fine: migrations only add, so that old and new processes run side by side during
        an update.
        """
        privileges, tables = zip(*self._wanted, strict=True) if self._wanted else ((), ())
        [state] = await self.engine.fetch(_STATE, APP, privileges, tables)
        _judge(state)


def _judge(state: Mapping[str, Any]) -> None:
    if state["standby"]:
        raise StandbyError
    missing = [migration for migration in MIGRATIONS if migration not in state["applied"]]
    if missing:
        raise SchemaError(
            f"migration {missing[0]} has not been applied: run `process_worker migrate`"
        )
    if state["lacking"]:
        raise AccessError(
            f"the role of this process lacks {', '.join(state['lacking'])}: grant it its rights, as"
            " `process_worker migrate` does for the roles that it is told"
        )
