"""Notices of Postgres about every change of a job, received on a connection of their own."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from mousetrap.jobs.state import State
from mousetrap.store import faults
from mousetrap.store.connector import Connector
from mousetrap.store.errors import ReplayTooLongError
from mousetrap.store.jobs import JobChange, JobStore
from mousetrap.telemetry import logs

JOBS: Final = "mousetrap_jobs"
"""The channel of a notice as JSON for every job that is new or changed its state or attempts."""
SUMMARIES: Final = "mousetrap_summaries"
"""The channel of an empty notice when summaries were changed or deleted; not when added."""

PING_PERIOD: Final = 1.0
PING_DEADLINE: Final = 2.0
QUEUE_LIMIT: Final = 10_000
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
MAX_DRIFT: Final = timedelta(seconds=1)
"""A clock of Postgres that is further behind the one of this process than before was set back."""
BETWEEN_READS: Final = 0.02
"""Seconds between two looks at the table, each for all notices that came meanwhile."""
REPLAY_LIMIT: Final = 10_000
PAGE: Final = 500

# The files of the tables tell that a backup was restored below this connection, which sends no
# notice. They are looked up by name each time, since a restore may drop the tables.
_NOW: Final = """
SELECT clock_timestamp() AS time,
    pg_relation_filenode(to_regclass('job')) AS jobs,
    pg_relation_filenode(to_regclass('summary')) AS summaries
"""

# While Postgres was stopped its files may have been replaced. Changes in the future are from before
# its clock went back; those further ahead than a day would be waited for too long.
_HORIZON: Final = """
SELECT greatest(
    pg_postmaster_start_time(),
    (SELECT max(changed_at) FROM job WHERE changed_at BETWEEN now() AND now() + interval '1 day')
)
"""

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class SummaryAdded:
    """A source may have a newer summary: some role said so, and nobody looked it up."""

    source: str


@dataclass(frozen=True, slots=True)
class SummariesChanged:
    """Summaries may have been changed or deleted."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Changes cannot be replayed: subscribers must read jobs again."""


Notice = JobChange | SummaryAdded | SummariesChanged | Gap
Hear = Callable[[Notice], None]
Wants = Callable[[], bool]


class _Hint(Struct, frozen=True):
    """The fields that are read of a notice; any role of the database may send such a notice.

    Versions before the column `changed_at` send their own beside that of the trigger.
    """

    job_id: UUID
    state: State
    source: str = ""
    attempts: int = 0
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Reading:
    """The clock and the tables of Postgres, `at` a time of the monotonic clock or a little before.

    It takes at most PING_DEADLINE.
    """

    time: datetime
    files: tuple[int, int]
    at: float

    def expected(self, at: float) -> datetime:
        """Return what the clock should show later."""
        return self.time + timedelta(seconds=at - self.at)


class Notices:
    """Hands every notice to the subscribers of this process, for as long as `watch` runs.

    Any role of the database can send notices, so the table is asked whether they are true.
    It keeps one connection, apart from the pool. When `watch` is called again it first replays from
    the table what changed meanwhile, so that nothing is left out; a change may be reported twice,
    but a job's reported state never goes backwards. A change that somebody commits later than
    `deadline` seconds times two after making it is told at once, but may be missing from a replay.
    """

    def __init__(self, dsn: str, jobs: JobStore, *, deadline: float, name: str) -> None:
        self._connector = Connector(
            dsn,
            name=f"{name} notices",
            deadline=deadline,
            settings={"statement_timeout": f"{deadline * 1000:.0f}"},  # milliseconds
        )
        self._jobs = jobs
        self._deadline = deadline
        self._overlap = timedelta(seconds=2 * deadline)
        self._subscribers: list[Hear] = []
        self._wants: list[Wants] = []
        self._heard = -float("inf")
        self._read_at = -float("inf")
        self._position: datetime | None = None
        self._reading: _Reading | None = None
        self._horizon = _NEVER
        self._superseded: dict[UUID, datetime] = {}

    @property
    def age(self) -> float:
        """Seconds since the last moment up to which every commit has been reported.

        About one while the connection lives; infinite before that.
        """
        return time.monotonic() - self._heard

    @property
    def position(self) -> datetime | None:
        """The position of a replay that begins now; None before the first connection."""
        return self._position

    @property
    def horizon(self) -> datetime:
        """A replay from a position up to this one may leave out changes.

        Then the clock of Postgres went back or its tables were replaced, or that may have happened
        before this process began.
        """
        return self._horizon

    def subscribe(self, hear: Hear, *, wants: Wants = lambda: True) -> None:
        """Call `hear` with every notice; it must return soon and must not raise.

        Changes of jobs that no subscriber `wants` at the time may be left out, because each of them
        is looked up in the table.
        """
        self._subscribers.append(hear)
        self._wants.append(wants)

    async def replay(
        self, since: datetime, source: str | None = None
    ) -> AsyncIterator[list[JobChange]]:
        """Yield the jobs, of a source or of all, that changed since a position, in that order.

        Raises ReplayTooLongError once they are more than 10,000, StoreUnavailableError or
        SchemaError.
        """
        after = (_earlier(since, self._overlap), UUID(int=0))
        for _ in range(REPLAY_LIMIT // PAGE):
            page = await self._jobs.changes(after, source=source, limit=PAGE)
            if page:
                yield page
            if len(page) < PAGE:
                return
            after = page[-1].changed_at, page[-1].job.id
        raise ReplayTooLongError(
            f"more than {REPLAY_LIMIT} jobs changed since {since}: read them from the table"
        )

    async def watch(self, works: Callable[[], None]) -> NoReturn:
        """Listen until cancelled; `works` is called once Postgres is heard.

        Raises StoreError when it is not heard any more. The next call replays what it missed.
        """
        with faults.translated(self._deadline):
            await self._listen(works)
        raise AssertionError  # it never ends

    async def _listen(self, works: Callable[[], None]) -> NoReturn:
        inbox: asyncio.Queue[Notice | _Hint | None] = asyncio.Queue()
        connection = await self._connector.connect()
        try:
            # None wakes the reader, which finds out with the next ping.
            connection.add_termination_listener(lambda _: inbox.put_nowait(None))

            def hear(_: object, __: int, channel: str, payload: Any) -> None:
                if inbox.qsize() >= QUEUE_LIMIT:
                    connection.terminate()
                elif (notice := _read(channel, payload)) is not None and self._is_wanted(notice):
                    inbox.put_nowait(notice)

            await connection.add_listener(JOBS, hear)
            await connection.add_listener(SUMMARIES, hear)
            await self._catch_up(await self._look(connection))
            works()
            while True:
                await self._ping(connection, inbox)
                end = asyncio.get_running_loop().time() + PING_PERIOD
                while (notice := await _next(inbox, end)) is not None:
                    await asyncio.sleep(self._read_at + BETWEEN_READS - time.monotonic())
                    await self._take([notice, *_rest(inbox)])
        finally:
            connection.terminate()

    async def _ping(
        self,
        connection: "asyncpg.Connection[asyncpg.Record]",
        inbox: "asyncio.Queue[Notice | _Hint | None]",
    ) -> None:
        """Check the connection, and determine up to which time every commit has been reported.

        Postgres sends what was committed before it was asked for the time before it answers.
        """
        asked = time.monotonic()
        now = await self._look(connection)
        await self._take(list(_rest(inbox)))
        self._superseded = {}
        self._position = now
        self._heard = asked

    async def _look(self, connection: "asyncpg.Connection[asyncpg.Record]") -> datetime:
        """Return the time by the clock of Postgres, after telling what no notice tells."""
        asked = time.monotonic()
        row = await connection.fetchrow(_NOW, timeout=PING_DEADLINE)
        assert row is not None  # it has no FROM  # noqa: S101
        files = (row["jobs"], row["summaries"])
        now = _Reading(row["time"], files, time.monotonic())
        if self._reading is None:
            self._horizon = await connection.fetchval(_HORIZON, timeout=PING_DEADLINE)
        else:
            self._compare(self._reading, now, expected=self._reading.expected(asked))
        self._reading = now
        return now.time

    def _compare(self, before: _Reading, now: _Reading, *, expected: datetime) -> None:
        """Tell that the clock of Postgres went back, or that a backup was restored.

        The time that is `expected` of an unchanged clock is too early by what two readings took.
        """
        is_restored = now.files != before.files
        if is_restored:
            self._tell(SummariesChanged())
        if is_restored or now.time + MAX_DRIFT < expected:
            log.warning("the clock of Postgres went back, or its tables were replaced")
            self._position = now.time
            self._horizon = max(now.time, expected) + 2 * timedelta(seconds=PING_DEADLINE)
            self._tell(Gap())

    async def _catch_up(self, now: datetime) -> None:
        self._tell(SummariesChanged())
        # Notices that arrive during the replay may be older than the rows read.
        self._superseded = {}
        try:
            # Also at the start: it fails while the schema lacks the triggers.
            async for page in self.replay(self._position or now):
                for change in page:
                    self._superseded[change.job.id] = change.changed_at
                    self._tell(change)
        except ReplayTooLongError:
            self._position = now
            self._tell(Gap())

    async def _take(self, notices: Sequence[Notice | _Hint]) -> None:
        hints = [it for it in notices if isinstance(it, _Hint)]
        for source in {it.source for it in hints if it.state is State.SUCCEEDED}:
            self._tell(SummaryAdded(source))
        found = await self._look_up({it.job_id for it in hints})
        self._read_at = time.monotonic()
        for it in notices:
            notice: Notice | None
            if isinstance(it, _Hint):
                notice = await self._confirmed(it, found.get(it.job_id))
            else:
                notice = it
            if notice is not None and not self._is_superseded(notice):
                self._tell(notice)

    async def _look_up(self, job_ids: Collection[UUID]) -> Mapping[UUID, JobChange]:
        if not (job_ids and self._are_changes_wanted()):
            return {}
        return await self._jobs.changes_of(job_ids)

    async def _confirmed(self, hint: _Hint, now: JobChange | None) -> JobChange | None:
        """Return the change that a notice tells of, as far as the tables confirm it."""
        if now is None or hint.changed_at is None or hint.changed_at > now.changed_at:
            return None
        if hint.changed_at == now.changed_at:
            return now
        # It is history by now. The row is that of a later change, the attempts that failed remain.
        if hint.changed_at < now.job.requested_at or hint.attempts > now.job.attempts:
            return None
        then = replace(now.job, state=hint.state, attempts=hint.attempts, fetched_at=None)
        if hint.state is State.QUEUED:
            then = replace(then, finished_at=None, failure=None)
            return JobChange(then, hint.changed_at)
        if hint.state is State.FAILED:
            for it in await self._jobs.failed_attempts(hint.job_id):
                if it.number == hint.attempts:
                    then = replace(then, finished_at=it.failed_at, failure=it.failure)
                    return JobChange(then, hint.changed_at)
        return None

    def _is_wanted(self, notice: Notice | _Hint) -> bool:
        if not isinstance(notice, _Hint) or notice.state is State.SUCCEEDED:
            return True
        return self._are_changes_wanted()

    def _are_changes_wanted(self) -> bool:
        return any(wants() for wants in self._wants)

    def _is_superseded(self, notice: Notice) -> bool:
        if not isinstance(notice, JobChange):
            return False
        told = self._superseded.get(notice.job.id)
        return told is not None and notice.changed_at < told

    def _tell(self, notice: Notice) -> None:
        for hear in self._subscribers:
            hear(notice)


async def _next[T](inbox: asyncio.Queue[T], end: float) -> T | None:
    """Return what comes before `end`, by the clock of the loop; None if nothing does."""
    if asyncio.get_running_loop().time() >= end:
        return None
    if not inbox.empty():
        return inbox.get_nowait()
    try:
        async with asyncio.timeout_at(end):
            return await inbox.get()
    except TimeoutError:
        return None


def _earlier(instant: datetime, by: timedelta) -> datetime:
    try:
        return instant - by
    except OverflowError:
        return _NEVER


def _rest(inbox: "asyncio.Queue[Notice | _Hint | None]") -> Iterator[Notice | _Hint]:
    for _ in range(inbox.qsize()):
        if (notice := inbox.get_nowait()) is not None:
            yield notice


def _read(channel: str, payload: str) -> Notice | _Hint | None:
    """Return what a notice says, None for nothing."""
    if channel == SUMMARIES:
        return SummariesChanged()
    try:
        return msgspec.json.decode(payload, type=_Hint)
    except msgspec.DecodeError as error:
        log.warning("a notice cannot be read: who else sends on this channel?", reason=str(error))
        return None
