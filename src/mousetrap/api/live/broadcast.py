"""Fans out every change of a job to all event streams: encoded once, with a bounded buffer each."""

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
CLOSE_GRACE: Final = 1.0
"""Seconds that a client has to read the end of its stream when the process stops."""

RETRY: Final = b"retry: 2000\n\n"
HEARTBEAT_COMMENT: Final = b": heartbeat\n\n"
CHUNK: Final = 100

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
MAX_CLOCK_SKEW: Final = timedelta(minutes=5)
"""An event id further than this in the future is from another clock, and cannot be resumed."""

HEADERS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """An encoded event, and its change if it has one."""

    encoded: bytes
    change: JobChange | None = None

    @classmethod
    def of(cls, change: JobChange) -> "Event":
        """Return the event of a change."""
        data = msgspec.json.encode(JobStatus.of(change.job))
        return cls(_encode(b"job", change.changed_at, data), change)


class Stream:
    """The stream of one client, with a bounded buffer of events.

    `flush` sends the buffer in one piece; nothing is sent before `release`. A client is cut off
    when its buffer is full.
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
        """Buffer an event."""
        if self._ended:
            return
        if len(self._pending) >= BUFFER:
            self._give_up()
            return
        self._pending.append(event)

    def flush(self) -> None:
        """Start to send the buffer, unless that is under way."""
        # An idle client has no writing task.
        if not self._held and self._writing is None and (self._pending or self._ended):
            self._writing = asyncio.create_task(self._write())

    async def send(self, data: bytes) -> None:
        """Send bytes ahead of the buffer; returns once the server has taken them."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._moved = True

    def release(self, superseded: dict[UUID, datetime]) -> None:
        """Start to send the buffer, without changes older than the time in `superseded`."""
        self._pending = [it for it in self._pending if not _is_superseded(it.change, superseded)]
        self._held = False
        if not self._ended:
            self.flush()

    def heartbeat(self) -> None:
        """Send a comment, or cut off a client that read nothing since the last one."""
        if self._pending and not self._moved:
            self._give_up()
            return
        self._moved = False
        self.push(Event(HEARTBEAT_COMMENT))
        self.flush()

    def end(self) -> None:
        """Send the buffer and the end of the stream."""
        if self._held:
            self.abort()
        self._ended = True
        self.flush()

    def abort(self) -> None:
        """Close the connection at once."""
        self._ended = True
        self._pending.clear()
        self._abort()

    def stop(self) -> None:
        """Stop sending, because the client is gone."""
        self._ended = True
        if self._writing is not None:
            self._writing.cancel()

    def _give_up(self) -> None:
        log.info("a client reads events too slowly and is cut off", waiting=len(self._pending))
        self.abort()

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
    """All event streams: at most 5,000, each with at most 1,000 buffered events.

    A new event flushes the streams, a hundred at a time, so other requests are served in between;
    events that arrive meanwhile are sent together. Each stream has a heartbeat every 15 seconds.
    """

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._streams: dict[Stream, str | None] = {}
        self._closed = False
        self._changed = asyncio.Event()
        notices.subscribe(self._on_notice)

    def check(self) -> None:
        """Raise OverloadedError or UnavailableError if no further client may be accepted."""
        if self._closed:
            raise OverloadedError(STOPPING)
        if len(self._streams) >= CLIENTS:
            raise OverloadedError(f"The process has {CLIENTS} event streams already: try again.")
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
        """Send the events after `last_id`, of one source or of all, until the client is gone."""
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
        """End every stream, and accept no others."""
        self._closed = True
        for stream in self._streams:
            stream.end()
        asyncio.get_running_loop().call_later(CLOSE_GRACE, self._abort)

    async def watch(self) -> NoReturn:
        """Send events and heartbeats until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send_events())
            group.create_task(self._send_heartbeats())
        raise AssertionError  # neither of them ends

    async def _send_events(self) -> NoReturn:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._for_each(Stream.flush)

    async def _send_heartbeats(self) -> NoReturn:
        while True:
            await asyncio.sleep(HEARTBEAT)
            await self._for_each(Stream.heartbeat)

    async def _for_each(self, do: Callable[[Stream], None]) -> None:
        for streams in itertools.batched(tuple(self._streams), CHUNK, strict=False):
            for stream in streams:
                do(stream)
            await asyncio.sleep(0)  # serves other requests in between

    async def _begin(self, stream: Stream, source: str | None, last_id: str | None) -> None:
        position = self._notices.position or EPOCH
        since = position if last_id is None else _instant(last_id)
        superseded: dict[UUID, datetime] = {}
        if since is None or since > position + MAX_CLOCK_SKEW:
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

    def _on_notice(self, notice: Notice) -> None:
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
        self._changed.set()

    def _abort(self) -> None:
        for stream in self._streams:
            stream.abort()


def _is_superseded(change: JobChange | None, by: dict[UUID, datetime]) -> bool:
    return change is not None and change.changed_at < by.get(change.job.id, EPOCH)


def _encode(kind: bytes, instant: datetime, data: bytes = b"{}") -> bytes:
    number = (instant - EPOCH) // MICROSECOND
    return b"event: %b\nid: %d\ndata: %b\n\n" % (kind, number, data)


def _instant(event_id: str) -> datetime | None:
    """Return the position in an event's id; None if the id is invalid."""
    try:
        return EPOCH + int(event_id) * MICROSECOND
    except (ValueError, OverflowError):
        return None
