"""Every change of a job, handed on to all who listen: encoded once, bounded for each of them."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NoReturn
from uuid import UUID

import msgspec

from mousetrap.api.http.errors import STOPPING, OverloadedError, UnavailableError
from mousetrap.api.http.limits import Receive, Send
from mousetrap.api.schema.job import JobStatus
from mousetrap.store.errors import ReplayTooLongError, StoreUnavailableError
from mousetrap.store.jobs import JobChange
from mousetrap.store.notices import Gap, Notice, Notices
from mousetrap.telemetry import logs

CLIENTS: Final = 5_000
BUFFER: Final = 1_000
HEARTBEAT: Final = 15.0
FAREWELL: Final = 1.0
"""Seconds that a client has to take the end of its stream when the process stops."""

RETRY: Final = b"retry: 2000\n\n"
PULSE: Final = b": heartbeat\n\n"
SLICE: Final = 100

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
AHEAD: Final = timedelta(minutes=5)
"""How far an event's id may be ahead of the clock that made it before it is of another clock."""

HEADERS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """What clients are sent, and the change that it tells of."""

    encoded: bytes
    change: JobChange | None = None

    @classmethod
    def of(cls, change: JobChange) -> "Event":
        """Return the event of a change."""
        data = msgspec.json.encode(JobStatus.of(change.job))
        return cls(_encode(b"job", change.changed_at, data), change)


class Stream:
    """One client: `send` and `abort` lead to it, what it has yet to be sent waits here.

    What waits is sent together with `flush`, and nothing before `release`. A client that lets too
    many events wait is cut off.
    """

    __slots__ = ("_abort", "_ended", "_held", "_moved", "_pending", "_send", "_writing")

    def __init__(self, send: Send, abort: Callable[[], None]) -> None:
        self._send = send
        self._abort = abort
        self._pending: list[Event] = []
        self._writing: asyncio.Task[None] | None = None
        self._held = True
        self._ended = False
        self._moved = True

    def push(self, event: Event) -> None:
        """Let an event wait."""
        if self._ended:
            return
        if len(self._pending) >= BUFFER:
            self._give_up()
            return
        self._pending.append(event)

    def flush(self) -> None:
        """Send what waits as soon as the client takes it."""
        # An idle client has no task that writes.
        if not self._held and self._writing is None and (self._pending or self._ended):
            self._writing = asyncio.create_task(self._write())

    async def send(self, data: bytes) -> None:
        """Send bytes past those that wait, and return once they are on their way."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._moved = True

    def release(self, superseded: dict[UUID, datetime]) -> None:
        """Begin to send what waits, but no job as it was before the time that is given for it."""
        self._pending = [it for it in self._pending if not _is_superseded(it.change, superseded)]
        self._held = False
        if not self._ended:
            self.flush()

    def beat(self) -> None:
        """Show that the stream lives; a client that took nothing since the last time is cut off."""
        if self._pending and not self._moved:
            self._give_up()
            return
        self._moved = False
        self.push(Event(PULSE))
        self.flush()

    def end(self) -> None:
        """Send what waits, and with it the end of the stream."""
        if self._held:
            self.cut()
        self._ended = True
        self.flush()

    def cut(self) -> None:
        """End the connection at once."""
        self._ended = True
        self._pending.clear()
        self._abort()

    def stop(self) -> None:
        """Send nothing more: the client is gone."""
        self._ended = True
        if self._writing is not None:
            self._writing.cancel()

    def _give_up(self) -> None:
        log.info("a client reads events too slowly and is cut off", waiting=len(self._pending))
        self.cut()

    async def _write(self) -> None:
        try:
            while self._pending:
                pending, self._pending = self._pending, []
                await self.send(b"".join(event.encoded for event in pending))
            if self._ended:
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._writing = None


class Broadcast:
    """All who listen to the changes of jobs: at most 5,000, each with at most 1,000 events waiting.

    What is heard is sent to a hundred of them at a time, with others served in between; what is
    heard meanwhile goes out together. Every 15 seconds each of them is sent a comment.
    """

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._streams: dict[Stream, str | None] = {}
        self._closed = False
        self._heard = asyncio.Event()
        notices.subscribe(self._hear)

    def check(self) -> None:
        """Return if one more client is welcome; raises OverloadedError or UnavailableError."""
        if self._closed:
            raise OverloadedError(STOPPING)
        if len(self._streams) >= CLIENTS:
            raise OverloadedError(f"The process has {CLIENTS} listeners already.")
        if self._notices.position is None:
            raise UnavailableError

    async def serve(
        self,
        receive: Receive,
        send: Send,
        abort: Callable[[], None],
        *,
        source: str | None,
        last_id: str | None,
    ) -> None:
        """Send events, of a source or of all, from after `last_id` on until the client is gone."""
        stream = Stream(send, abort)
        self._streams[stream] = source
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await self._begin(stream, source, last_id)
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            del self._streams[stream]
            stream.stop()

    def close(self) -> None:
        """Let every stream end, and take no others."""
        self._closed = True
        for stream in self._streams:
            stream.end()
        asyncio.get_running_loop().call_later(FAREWELL, self._cut)

    async def watch(self) -> NoReturn:
        """Send what is heard, and heartbeats, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell())
            group.create_task(self._beat())
        raise AssertionError  # neither of them ends

    async def _tell(self) -> NoReturn:
        while True:
            await self._heard.wait()
            self._heard.clear()
            await self._each(Stream.flush)

    async def _beat(self) -> NoReturn:
        while True:
            await asyncio.sleep(HEARTBEAT)
            await self._each(Stream.beat)

    async def _each(self, do: Callable[[Stream], None]) -> None:
        for streams in itertools.batched(tuple(self._streams), SLICE, strict=False):
            for stream in streams:
                do(stream)
            await asyncio.sleep(0)  # others are served in between

    async def _begin(self, stream: Stream, source: str | None, last_id: str | None) -> None:
        position = self._notices.position or EPOCH
        since = position if last_id is None else _instant(last_id)
        superseded: dict[UUID, datetime] = {}
        if since is None or since > position + AHEAD:
            await stream.send(RETRY + _encode(b"ready", position) + _encode(b"reset", position))
        else:
            await stream.send(RETRY + _encode(b"ready", since))
            if last_id is not None:
                superseded = await self._replay(stream, source, since)
        stream.release(superseded)

    async def _replay(
        self, stream: Stream, source: str | None, since: datetime
    ) -> dict[UUID, datetime]:
        replayed: dict[UUID, datetime] = {}
        position = self._notices.position or since
        try:
            async for page in self._notices.replay(since, source):
                replayed |= {change.job.id: change.changed_at for change in page}
                await stream.send(b"".join(Event.of(change).encoded for change in page))
        except ReplayTooLongError:
            await stream.send(_encode(b"reset", position))
        except StoreUnavailableError as error:
            log.warning("a client has to ask for events once more", reason=str(error))
            stream.end()
        return replayed

    def _hear(self, notice: Notice) -> None:
        match notice:
            case JobChange() if self._streams:
                event = Event.of(notice)
                for stream, source in self._streams.items():
                    if source in {None, notice.job.source}:
                        stream.push(event)
            case Gap() if self._notices.position is not None:
                event = Event(_encode(b"reset", self._notices.position))
                for stream in self._streams:
                    stream.push(event)
            case _:
                return
        self._heard.set()

    def _cut(self) -> None:
        for stream in self._streams:
            stream.cut()


def _is_superseded(change: JobChange | None, by: dict[UUID, datetime]) -> bool:
    return change is not None and change.changed_at < by.get(change.job.id, EPOCH)


def _encode(kind: bytes, instant: datetime, data: bytes = b"{}") -> bytes:
    number = (instant - EPOCH) // MICROSECOND
    return b"event: %b\nid: %d\ndata: %b\n\n" % (kind, number, data)


def _instant(event_id: str) -> datetime | None:
    """Return the position that an event's id stands for; None if it is no such id."""
    try:
        return EPOCH + int(event_id) * MICROSECOND
    except (ValueError, OverflowError):
        return None
