"""The stream of events of one client."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from mousetrap.api.http.limits import Send
from mousetrap.api.schema.job import JobStatus
from mousetrap.store.jobs import JobChange
from mousetrap.telemetry import logs

BUFFER: Final = 1_000

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """An encoded event, and its change if it has one."""

    encoded: bytes
    change: JobChange | None = None

    @classmethod
    def of(cls, change: JobChange, root: str) -> "Event":
        """Return the event of a change; `root` is the path of the API on its host."""
        data = msgspec.json.encode(JobStatus.of(change.job, root))
        return cls(encode(b"job", change.changed_at, data), change)

    @classmethod
    def heartbeat(cls, position: datetime) -> "Event":
        """Return a comment with an id: clients keep the id, and see no event."""
        return cls(b": heartbeat\nid: %d\n\n" % _number(position))


class Stream:
    """The stream of one client, with a bounded buffer of events.

    `flush` sends the buffer in one piece; nothing is sent before `release`. A client is cut off
    when its buffer is full.
    """

    __slots__ = (
        "_abort",
        "_ended",
        "_held",
        "_is_replay_void",
        "_moved",
        "_pending",
        "_send",
        "_superseded",
        "_writing",
    )

    def __init__(self, send: Send, abort: Callable[[], None]) -> None:
        self._send = send
        self._abort = abort
        self._pending: list[Event] = []
        self._superseded: dict[UUID, datetime] = {}
        self._writing: asyncio.Task[None] | None = None
        self._held = True
        self._is_replay_void = False
        self._ended = False
        self._moved = True

    def push(self, event: Event) -> None:
        """Buffer an event, unless a replay has told of a later change of its job."""
        if self._ended or _is_superseded(event.change, self._superseded):
            return
        if len(self._pending) >= BUFFER:
            self._give_up()
            return
        self._pending.append(event)

    def reset(self, event: Event) -> None:
        """Buffer an event after which the client reads the lists again.

        Times of changes before it mean nothing after it, so a replay that is under way is not
        compared with later changes.
        """
        self._superseded = {}
        if self._held:
            self._pending.clear()
            self._is_replay_void = True
        self.push(event)

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
        """Start to send the buffer, without changes older than the time in `superseded`.

        Such changes may still come, until a heartbeat says that none is left.
        """
        if not self._is_replay_void:
            self._superseded = superseded
            self._pending = [
                it for it in self._pending if not _is_superseded(it.change, superseded)
            ]
        self._held = False
        if not self._ended:
            self.flush()

    def heartbeat(self, event: Event, position: datetime) -> None:
        """Send a heartbeat, or cut off a client that read nothing since the last one.

        Every change up to `position` has been pushed.
        """
        if all(changed_at <= position for changed_at in self._superseded.values()):
            self._superseded = {}
        if self._pending and not self._moved:
            self._give_up()
            return
        self._moved = False
        self.push(event)
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


def _is_superseded(change: JobChange | None, by: dict[UUID, datetime]) -> bool:
    return change is not None and change.changed_at < by.get(change.job.id, EPOCH)


def encode(kind: bytes, position: datetime, data: bytes = b"{}") -> bytes:
    """Return an event whose id is a position."""
    return b"event: %b\nid: %d\ndata: %b\n\n" % (kind, _number(position), data)


def position_in(event_id: str) -> datetime | None:
    """Return the position in an event's id; None if the id is invalid."""
    if not (event_id.isascii() and event_id.isdigit()):
        return None
    try:
        return EPOCH + int(event_id) * MICROSECOND
    except (ValueError, OverflowError):
        return None


def _number(position: datetime) -> int:
    return (position - EPOCH) // MICROSECOND
