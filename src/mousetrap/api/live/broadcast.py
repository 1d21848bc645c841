"""Fans out every change of a job to all event streams: encoded once, with a bounded buffer each."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import methodcaller
from typing import Final, NoReturn
from uuid import UUID

from mousetrap.api.http.authentication import Caller
from mousetrap.api.http.errors import STOPPING, OverloadedError, UnavailableError
from mousetrap.api.http.limits import Receive, Send
from mousetrap.api.http.peers import Client, Peers
from mousetrap.api.http.slots import Full, Slots
from mousetrap.api.live.replays import Replays
from mousetrap.api.live.stream import EPOCH, Event, Stream, encode, position_in
from mousetrap.api.metrics import ApiMetrics
from mousetrap.store.errors import ReplayTooLongError, StoreUnavailableError
from mousetrap.store.jobs import JobChange
from mousetrap.store.notices import Gap, Notice, Notices
from mousetrap.telemetry import logs

CLIENTS: Final = 5_000
HEARTBEAT: Final = 15.0
CLOSE_GRACE: Final = 1.0
"""Seconds that a client has to read the end of its stream."""

RETRY: Final = b"retry: 2000\n\n"
CHUNK: Final = 100

MAX_AHEAD: Final = timedelta(seconds=10)
"""An event id further than this in the future cannot be resumed: the clock of Postgres went back.

Processes read that clock a few seconds apart, and a replay begins that much earlier.
"""
MAX_ABSENCE: Final = timedelta(minutes=5)
"""An event id older than this is not resumed: reading the lists again is cheaper."""

FULL: Final = {
    Full.TOTAL: "The process has too many event streams already: try again.",
    Full.HOLDER: "Your address has too many event streams already: close one.",
}

HEADERS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)

log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class _Listener:
    caller: Caller
    source: str | None


class Broadcast:
    """All event streams: at most 5,000, each with at most 1,000 buffered events.

    At most `per_peer` of them belong to one peer. `review` ends those that `admit` no longer allows
    to their callers. `root` is the path of the API on its host.

    A new event flushes the streams, a hundred at a time, so other requests are served in between;
    events that arrive meanwhile are sent together. Each stream has a heartbeat every 15 seconds.
    """

    def __init__(  # noqa: PLR0913 - the collaborators and the bounds
        self,
        notices: Notices,
        peers: Peers,
        metrics: ApiMetrics,
        *,
        per_peer: int = CLIENTS,
        admit: Callable[[Caller], bool] = lambda _: True,
        root: str = "",
    ) -> None:
        self._notices = notices
        self._root = root
        self._peers = peers
        self._slots = Slots(CLIENTS, per_peer)
        self._overloaded = metrics.refused.labels(OverloadedError.code)
        self._admit = admit
        self._streams: dict[Stream, _Listener] = {}
        self._replays = Replays()
        self._closed = False
        self._changed = asyncio.Event()
        notices.subscribe(self._on_notice, wants=lambda: bool(self._streams))

    def check(self, client: Client, last_id: str | None) -> None:
        """Raise OverloadedError or UnavailableError if this further client may not be accepted."""
        if self._closed:
            raise OverloadedError(STOPPING)
        if self._notices.position is None:
            raise UnavailableError
        full = self._slots.full(self._peers.of(client))
        refusal = None if full is None else FULL[full]
        if refusal is None and self._replays.full and self._since(last_id) is not None:
            refusal = "Too many clients resume their event streams: try again."
        if refusal is not None:
            self._overloaded.inc()
            raise OverloadedError(refusal)

    async def serve(  # noqa: PLR0913 - all that a request has
        self,
        receive: Receive,
        send: Send,
        abort: Callable[[], None],
        *,
        client: Client,
        caller: Caller,
        source: str | None,
        last_id: str | None,
    ) -> None:
        """Send the events after `last_id`, of one source or of all, until the client is gone."""
        stream = Stream(send, abort)
        with self._slots.held(self._peers.of(client)):
            self._streams[stream] = _Listener(caller, source)
            if not self._admit(caller):  # its token was revoked a moment ago
                stream.end()
            try:
                await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
                async with asyncio.TaskGroup() as group:
                    beginning = group.create_task(self._begin(stream, source, last_id))
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    # Nothing is replayed for a client that is gone.
                    beginning.cancel()
            finally:
                del self._streams[stream]
                stream.stop()

    def close(self) -> None:
        """End every stream, and accept no others."""
        self._closed = True
        self._end(list(self._streams))

    def review(self) -> None:
        """End the streams of callers whose token was revoked or lost its scope."""
        revoked = [it for it, listener in self._streams.items() if not self._admit(listener.caller)]
        if revoked:
            log.info("event streams end, their tokens were revoked", streams=len(revoked))
            self._end(revoked)

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
            position = self._notices.position
            if position is not None:
                event = Event.heartbeat(position)
                await self._for_each(methodcaller("heartbeat", event, position))

    async def _for_each(self, do: Callable[[Stream], None]) -> None:
        for streams in itertools.batched(tuple(self._streams), CHUNK, strict=False):
            for stream in streams:
                do(stream)
            await asyncio.sleep(0)  # serves other requests in between

    def _since(self, last_id: str | None) -> datetime | None:
        """Return the position to resume from; None if there is none."""
        since, position = None if last_id is None else position_in(last_id), self._notices.position
        if since is None or position is None:
            return None
        earliest = max(position - MAX_ABSENCE, self._notices.horizon)
        return since if earliest < since <= position + MAX_AHEAD else None

    async def _begin(self, stream: Stream, source: str | None, last_id: str | None) -> None:
        superseded: dict[UUID, datetime] = {}
        since = self._since(last_id)
        position = self._notices.position or EPOCH
        if since is not None:
            await stream.send(RETRY + encode(b"ready", since))
            superseded = await self._replay(stream, source, since)
        elif last_id is None:
            await stream.send(RETRY + encode(b"ready", position))
        else:
            await stream.send(RETRY + encode(b"ready", position) + encode(b"reset", position))
        stream.release(superseded)

    async def _replay(
        self, stream: Stream, source: str | None, since: datetime
    ) -> dict[UUID, datetime]:
        replayed: dict[UUID, datetime] = {}
        position = self._notices.position or since
        try:
            async with self._replays.one() as admitted:
                if not admitted:
                    await stream.send(encode(b"reset", position))
                    return replayed
                async for page in self._notices.replay(since, source):
                    replayed |= {change.job.id: change.changed_at for change in page}
                    await stream.send(
                        b"".join(Event.of(change, self._root).encoded for change in page)
                    )
        except ReplayTooLongError:
            await stream.send(encode(b"reset", position))
        except TimeoutError:
            log.info("a client reads a replay too slowly and is cut off")
            stream.abort()
        except StoreUnavailableError as error:
            log.warning("a client has to ask for events once more", reason=str(error))
            stream.end()
        return replayed

    def _on_notice(self, notice: Notice) -> None:
        match notice:
            case JobChange() if self._streams:
                event = Event.of(notice, self._root)
                for stream, listener in self._streams.items():
                    if listener.source in {None, notice.job.source}:
                        stream.push(event)
            case Gap() if self._notices.position is not None:
                event = Event(encode(b"reset", self._notices.position))
                for stream in self._streams:
                    stream.reset(event)
            case _:
                return
        self._changed.set()

    def _end(self, streams: Sequence[Stream]) -> None:
        for stream in streams:
            stream.end()
        asyncio.get_running_loop().call_later(CLOSE_GRACE, self._abort, streams)

    def _abort(self, streams: Sequence[Stream]) -> None:
        for stream in streams:
            if stream in self._streams:
                stream.abort()
