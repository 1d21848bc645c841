"""The connections to Postgres: one bounded pool that recovers by itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, Self

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from piccolo.engine.postgres import PostgresEngine
from piccolo.query.base import Query

from mousetrap.store import faults
from mousetrap.store.connector import Connector
from mousetrap.store.errors import LifecycleError, StoreUnavailableError
from mousetrap.store.replication import Wait
from mousetrap.telemetry import logs

type _Pool = asyncpg.Pool[asyncpg.Record]
type _Connected = PoolConnectionProxy[asyncpg.Record]

log = logs.logger(__name__)

_end: ContextVar[float | None] = ContextVar("end", default=None)
"""The time of the event loop at which all calls end that are made together."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The number of connections in use and idle, and of calls that wait for one."""

    in_use: int = 0
    idle: int = 0
    waiting: int = 0
    limit: int = 0


class _Call(AbstractAsyncContextManager["_Call"]):
    """A call within `deadline` seconds, and whether Postgres may have seen a statement of it.

    A class, like _Borrowed: this runs for every statement.
    """

    __slots__ = ("_deadline", "_engine", "_timeout", "sent")

    def __init__(self, engine: "Engine", deadline: float) -> None:
        self.sent = True
        self._engine = engine
        self._deadline = deadline
        end, shared = asyncio.get_running_loop().time() + deadline, _end.get()
        self._timeout = asyncio.timeout_at(end if shared is None else min(end, shared))

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError as late:
            await self._translate(late)
            raise
        if isinstance(error, Exception):
            await self._translate(error)

    async def _translate(self, error: Exception) -> None:
        """Raise the error of this library for one of the driver, if there is one."""
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # A failed rollback, for example, must not hide the cancellation.
            raise asyncio.CancelledError from error
        pool = self._engine.pool
        if isinstance(error, TimeoutError) and self.sent and pool is not None:
            # The others may lead to the same server, which is silent or no longer there.
            await pool.expire_connections()
        meaning = faults.meaning(error, self._deadline) or error
        if isinstance(meaning, StoreUnavailableError) and not self.sent:
            meaning.sent = False
        if meaning is not error:
            raise meaning from error


class _Connection(asyncpg.Connection):
    """A connection of the pool; the pool closes expired ones in tasks that nobody awaits."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg asks
        """Close it; cutting a broken or silent connection is not an error."""
        with suppress(OSError):
            await super().close(timeout=timeout)


class Engine(PostgresEngine):
    """Piccolo's engine, with a deadline on every call and errors of this library only.

    `deadline`, in seconds, is that of every call; the database's operator sees `name`. The engine
    is usable between `open` and `close`.
    """

    def __init__(self, dsn: str, *, pool_size: int, deadline: float, name: str) -> None:
        self._pool_size = pool_size
        self._deadline = deadline
        timeout = f"{deadline * 1000:.0f}"  # milliseconds
        self._connector = Connector(
            dsn,
            name=name,
            deadline=deadline,
            settings={
                # A frozen or vanished client must not hold its locks for long.
                "statement_timeout": timeout,
                "idle_in_transaction_session_timeout": timeout,
                "lock_timeout": f"{deadline * 500:.0f}",
                # Planning a statement that ends one job takes almost as long as running it.
                "plan_cache_mode": "force_generic_plan",
                # A plan that is cached while a table is small must not scan it once it is large.
                "enable_seqscan": "off",
                # enable_seqscan=off inflates cost estimates and would trigger JIT.
                "jit": "off",
            },
        )
        self._waiting = 0
        self._releases: set[asyncio.Task[None]] = set()
        super().__init__(config={})

    async def check_version(self) -> None:
        """Do nothing: the stock engine would connect when it is created, at import time."""

    async def get_new_connection(self) -> NoReturn:
        """Refuse: without a pool, Piccolo would open a connection for each statement."""
        raise LifecycleError("the database is not open: use `async with Database(dsn)`")

    async def open(self) -> None:
        """Create the pool without connecting. Raises LifecycleError when it is open."""
        if self.pool is not None:
            raise LifecycleError("this database is open already: enter it once")
        await self.start_connection_pool(
            min_size=0,
            max_size=self._pool_size,
            connect=self._connector.connect,
            connection_class=_Connection,
            reset=_keep,
        )

    async def close(self) -> None:
        """Close the pool once its connections are free, at the latest after the deadline."""
        pool, self.pool = self.pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(self._deadline):
                await pool.close()
        except TimeoutError:
            log.warning("connections to Postgres were in use for too long and have been cut")

    def usage(self) -> Usage:
        """Return the use of the pool; all 0 when it is closed."""
        if self.pool is None:
            return Usage()
        size, idle = self.pool.get_size(), self.pool.get_idle_size()
        return Usage(size - idle, idle, self._waiting, self.pool.get_max_size())

    async def fetch(self, statement: str, *arguments: Any) -> list[Any]:
        """Run a statement, within `atomically` in its transaction; return its records."""
        scope = self.current_transaction.get()
        if scope is not None:
            return await scope.connection.fetch(statement, *arguments)  # type: ignore[no-any-return]
        return await self._run_in_pool(statement, arguments)

    async def fetch_slowly(self, statement: str, *arguments: Any, deadline: float) -> list[Any]:
        """Run a statement that may take as long as `deadline` seconds, within `atomically`."""
        scope = self.current_transaction.get()
        if scope is None:
            raise LifecycleError("there is no transaction: use `async with engine.atomically()`")
        connection, limit = scope.connection, "SET LOCAL statement_timeout = {:.0f}"  # milliseconds
        await connection.execute(limit.format(deadline * 1000))
        rows: list[Any] = await connection.fetch(statement, *arguments, timeout=deadline)
        await connection.execute(limit.format(self._deadline * 1000))
        return rows

    async def run(self, query: Query[Any, Any]) -> list[Any]:
        """Run a query of Piccolo's on this engine, whichever one its table has."""
        [querystring] = query.querystrings
        statement, arguments = querystring.compile_string()
        return await self.fetch(statement, *arguments)

    @asynccontextmanager
    async def atomically(self, *, deadline: float | None = None) -> AsyncIterator[_Call]:
        """Run statements in one transaction within one deadline, by default that of every call.

        A given `deadline` also bounds the pause between two statements; each statement keeps the
        deadline of every call.
        """
        async with (
            self.guard(deadline) as call,
            _Borrowed(self) as connection,
            connection.transaction(),
        ):
            scope = self.transaction()
            scope.connection = connection
            if deadline is not None:
                limit = f"{deadline * 1000:.0f}"  # milliseconds
                await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = {limit}")
            token = self.current_transaction.set(scope)
            try:
                yield call
            finally:
                self.current_transaction.reset(token)

    async def fetch_once(self, statement: str, *arguments: Any) -> list[Any]:
        """Run a statement that must not be sent twice; return its records."""
        async with self.guard() as call:
            call.sent = False
            return await self._fetch(call, statement, arguments)

    async def _run_in_pool(self, query: str, args: Sequence[Any] | None = None) -> list[Any]:
        # Every other statement of this library is idempotent, so the one that finds a connection
        # closed by a restart of Postgres is retried.
        async with self.guard() as call:
            call.sent = False
            try:
                return await self._fetch(call, query, args or ())
            except Exception as error:
                if self.pool is None or not faults.lost(error):
                    raise
                await self.pool.expire_connections()
            return await self._fetch(call, query, args or ())

    async def _fetch(self, call: _Call, query: str, args: Sequence[Any]) -> list[Any]:
        async with _Borrowed(self) as connection:
            call.sent = True
            return await connection.fetch(query, *args)

    async def take(self, pool: _Pool) -> _Connected:
        """Return a connection of the pool, once there is one."""
        self._waiting += 1
        try:
            if self._releases and not pool.get_idle_size():
                # Otherwise another connection would be opened although one is about to be free.
                await asyncio.wait(self._releases, return_when=asyncio.FIRST_COMPLETED)
            return await pool.acquire()
        finally:
            self._waiting -= 1

    def give_back(self, pool: _Pool, connection: _Connected) -> None:
        """Return a connection to the pool, after the caller has got its answer."""
        release = asyncio.create_task(pool.release(connection))
        self._releases.add(release)
        release.add_done_callback(self._released)

    def _released(self, release: asyncio.Task[None]) -> None:
        self._releases.discard(release)
        if not release.cancelled() and (error := release.exception()) is not None:
            log.warning(
                "a connection to Postgres was cut, it could not be reused", reason=str(error)
            )

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let all calls within the block end within the deadline of one of them."""
        token = _end.set(asyncio.get_running_loop().time() + self._deadline)
        try:
            yield
        finally:
            _end.reset(token)

    def guard(self, deadline: float | None = None) -> _Call:
        """Run within the deadline of a call, and raise only errors of this library."""
        return _Call(self, deadline or self._deadline)


class _Borrowed(AbstractAsyncContextManager[_Connected]):
    """A connection of the pool, which is cut if its use ends with an error."""

    __slots__ = ("_connection", "_engine", "_pool", "_wait")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._wait = Wait()

    async def __aenter__(self) -> _Connected:
        if self._engine.pool is None:
            await self._engine.get_new_connection()
        self._pool = self._engine.pool
        self._connection = await self._engine.take(self._pool)
        self._connection.add_log_listener(self._wait.hear)
        return self._connection

    async def __aexit__(self, kind: object, error: BaseException | None, _: object) -> None:
        try:
            if error is None:
                self._wait.check()
        except BaseException:
            self._cut()
            raise
        if error is not None:
            self._cut()
            return
        self._connection.remove_log_listener(self._wait.hear)
        self._engine.give_back(self._pool, self._connection)

    def _cut(self) -> None:
        # Opening a new connection is cheaper than finding out the state of this one.
        with suppress(asyncpg.InterfaceError):  # already closed
            self._connection.terminate()


async def _keep(_: object) -> None:
    """Reset nothing: no statement of this library changes its session."""
