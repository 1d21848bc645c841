"""Raw HTTP/1.1: an attacker writes bytes that no client library would send."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

MOST: Final = 1024 * 1024
"""The most bytes of an answer that are kept."""
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_STEP: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything that a connection returned, and whether the server closed it."""

    raw: bytes
    closed: bool

    @property
    def statuses(self) -> list[int]:
        """Return the status of each answer, without 100 Continue."""
        return [it for it in map(int, _STATUS.findall(self.raw)) if it != 100]

    @property
    def status(self) -> int:
        """Return the status of the first answer, 0 if there is none."""
        return next(iter(self.statuses), 0)

    @property
    def head(self) -> bytes:
        """Return the head of the first answer, in lower case."""
        return self.raw.partition(b"\r\n\r\n")[0].lower()

    @property
    def body(self) -> bytes:
        """Return everything behind the first head, without the framing of chunks."""
        rest = self.raw.partition(b"\r\n\r\n")[2]
        return _joined(rest) if self.header("transfer-encoding") == "chunked" else rest

    @property
    def json(self) -> Any:
        """Return the body, which must be JSON; raises ValueError."""
        return json.loads(self.body)

    def header(self, name: str) -> str:
        """Return a header of the first answer; empty if there is none."""
        found = re.search(rf"\r\n{name.lower()}: *([^\r]*)".encode(), self.head)
        return found[1].decode("latin-1") if found else ""


def _joined(chunks: bytes) -> bytes:
    body = bytearray()
    while True:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size or b"0", 16)
        if length == 0:
            return bytes(body)
        body += rest[:length]
        chunks = rest[length + 2 :]


class Wire:
    """A connection whose reads and writes are bounded in time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.sent = 0

    async def send(self, data: bytes, *, seconds: float = 5.0) -> bool:
        """Send bytes; return whether the peer still takes them."""
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(data)
                await self._writer.drain()
        except (OSError, TimeoutError):
            return False
        self.sent += len(data)
        return not self._reader.at_eof()

    async def receive(self, *, seconds: float, until: bytes | None = None) -> Answer:
        """Read until the peer closes, until some bytes were received, or until the time is over."""
        received = bytearray()
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(seconds):
                while piece := await self._reader.read(_STEP):
                    received += piece[: MOST - len(received)]
                    if until is not None and until in received:
                        return Answer(bytes(received), closed=False)
                return Answer(bytes(received), closed=True)
        return Answer(bytes(received), closed=self._reader.exception() is not None)

    async def closed_within(self, seconds: float) -> bool:
        """Tell whether the peer closes the connection in time; drops what it sends."""
        return (await self.receive(seconds=seconds)).closed

    def end(self) -> None:
        """Abort the connection."""
        self._writer.transport.abort()


@contextlib.asynccontextmanager
async def connected(
    host: str, port: int, *, source: str | None = None, window: int | None = None
) -> AsyncIterator[Wire]:
    """Connect from the address `source`; a `window` of few bytes makes a slow reader."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as raw:
        if window is not None:  # otherwise the kernel would read megabytes
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        if source is not None:
            raw.bind((source, 0))
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().sock_connect(raw, (host, port))
            reader, writer = await asyncio.open_connection(sock=raw, limit=window or _STEP)
        wire = Wire(reader, writer)
        try:
            yield wire
        finally:
            wire.end()
