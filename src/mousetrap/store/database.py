"""The database of a process."""

from typing import Self

from mousetrap.store.dead_letters import DeadLetterStore
from mousetrap.store.engine import ENGINE, Usage
from mousetrap.store.errors import SchemaError
from mousetrap.store.jobs import JobStore
from mousetrap.store.leases import LeaseStore
from mousetrap.store.notices import Notices
from mousetrap.store.outcomes import OutcomeStore
from mousetrap.store.retention import RetentionStore
from mousetrap.store.schedule import ScheduleStore
from mousetrap.store.schema.tables import JobRow
from mousetrap.store.schema.version import APP, MIGRATIONS
from mousetrap.store.summaries import SummaryStore

_APPLIED = "SELECT name FROM migration WHERE app_name = {}"


class Database:
    """The jobs and summaries in Postgres; to be used as `async with Database(dsn) as database`.

    Entering connects to nothing, so that it works while Postgres is away; a pool of at most
    `pool_size` connections is filled as they are needed, and again after Postgres was away. Every
    call ends within `deadline` seconds, the wait for a free connection included. Watching its
    `notices` takes one connection more. After `lease`
    seconds the message of an accepted job is looked for; `name` is what the operator of Postgres
    sees. A process has one open database at a time: entering a second one raises LifecycleError.
    """

    def __init__(
        self,
        dsn: str,
        *,
        pool_size: int = 5,
        deadline: float = 5.0,
        lease: float = 10.0,
        name: str = APP,
    ) -> None:
        self._dsn = dsn
        self._pool_size = pool_size
        self._deadline = deadline
        self._name = name
        self.jobs = JobStore(lease)
        self.schedule = ScheduleStore(lease)
        self.leases = LeaseStore()
        self.outcomes = OutcomeStore()
        self.summaries = SummaryStore()
        self.dead_letters = DeadLetterStore()
        self.retention = RetentionStore()
        self.notices = Notices(dsn, self.jobs, deadline=deadline, name=name)

    async def __aenter__(self) -> Self:
        await ENGINE.open(
            self._dsn, pool_size=self._pool_size, deadline=self._deadline, name=self._name
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await ENGINE.close()

    def usage(self) -> Usage:
        """Return what the connections are doing."""
        return ENGINE.usage()

    async def ping(self) -> None:
        """Return if Postgres can be used and its schema is at least the one of this code.

        Raises StoreUnavailableError or SchemaError. A newer schema is fine: migrations only add,
        so that old and new processes run side by side during an update.
        """
        applied = {row["name"] for row in await JobRow.raw(_APPLIED, APP)}
        missing = [migration for migration in MIGRATIONS if migration not in applied]
        if missing:
            raise SchemaError(
                f"migration {missing[0]} has not been applied: run `process_worker migrate`"
            )
