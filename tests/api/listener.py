"""Listening to `GET /events` without a server in between."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from mousetrap.api.http.limits import Application, Message

DEADLINE = 20.0


@dataclass(frozen=True, slots=True)
class Event:
    kind: str
    id: str
    data: dict[str, Any]


class Listener:
    """A client; while it does not read, the server cannot send."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.started = asyncio.Event()
        self.cut = asyncio.Event()
        self.over = asyncio.Event()
        self.comments = 0
        self.reads = asyncio.Event()
        self.reads.set()
        self._gone = asyncio.Event()
        self._asked = False
        self._buffer = b""
        self._parts: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        await self.reads.wait()
        if self._gone.is_set():
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self.started.set()
            return
        self._parts.put_nowait(message.get("body", b""))
        if not message.get("more_body", False):
            self.over.set()
            self.leave()

    def abort(self) -> None:
        self.cut.set()
        self.leave()

    def leave(self) -> None:
        self._gone.set()
        self.reads.set()

    async def block(self) -> str:
        """Return what comes up to the next empty line."""
        async with asyncio.timeout(DEADLINE):
            while b"\n\n" not in self._buffer:
                self._buffer += await self._parts.get()
        found, _, self._buffer = self._buffer.partition(b"\n\n")
        return found.decode()

    async def body(self) -> bytes:
        """Return all of an answer that ends."""
        async with asyncio.timeout(DEADLINE):
            await self.over.wait()
        while not self._parts.empty():
            self._buffer += self._parts.get_nowait()
        return self._buffer

    async def next(self) -> Event:
        """Return the next event, and count the comments on the way."""
        while True:
            block = await self.block()
            if block.startswith(":"):
                self.comments += 1
            elif not block.startswith("retry:"):
                lines = dict(line.split(": ", 1) for line in block.split("\n"))
                return Event(lines["event"], lines["id"], json.loads(lines["data"]))

    async def until(self, **wanted: Any) -> list[Event]:
        """Return the events up to the first one whose data says this, and with that one."""
        found = []
        while True:
            found.append(await self.next())
            if all(found[-1].data.get(name) == wanted[name] for name in wanted):
                return found


@contextlib.asynccontextmanager
async def listening(  # noqa: PLR0913 - all that a request has
    app: Application,
    query: str = "",
    *,
    last_id: str | None = None,
    method: str = "GET",
    client: str = "127.0.0.1",
    bearer: str | None = None,
) -> AsyncIterator[Listener]:
    listener = Listener()
    headers = [(b"accept-encoding", b"gzip")]
    if last_id is not None:
        headers.append((b"last-event-id", last_id.encode()))
    if bearer is not None:
        headers.append((b"authorization", b"Bearer " + bearer.encode()))
    scope: Mapping[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": "/events",
        "raw_path": b"/events",
        "root_path": "",
        "query_string": query.encode(),
        "headers": headers,
        "client": (client, 1),
        "server": ("mousetrap.test", 80),
        "scheme": "http",
        "state": {"abort": listener.abort},
    }

    async def call() -> None:
        await app(dict(scope), listener.receive, listener.send)

    running = asyncio.create_task(call())
    try:
        yield listener
    finally:
        listener.leave()
        async with asyncio.timeout(DEADLINE):
            await running
