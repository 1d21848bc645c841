"""A real HTTP server on loopback that misbehaves as a test tells it to."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]
Reply = bytes | Script


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""


@dataclass
class Origin:
    """A server whose paths answer one reply after another; the last of them stays."""

    port: int = 0
    replies: dict[str, list[Reply]] = field(default_factory=lambda: defaultdict(list))
    requests: list[Request] = field(default_factory=list)
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def answers(self, *replies: Reply, path: str = "/") -> None:
        self.replies[path] = list(replies)

    async def hang(self, _: asyncio.StreamWriter) -> None:
        """Say nothing more, and keep the connection until the test is over."""
        await self.closing.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
            method, path, _ = head[0].split(" ")
            pairs = (line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.requests.append(Request(path, headers, method, body))
            self.arrived.release()
            replies = self.replies[path] or [answer(status=404)]
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
            if isinstance(reply, bytes):
                writer.write(reply)
                await writer.drain()
            else:
                await reply(writer)
        writer.close()


@asynccontextmanager
async def running() -> AsyncIterator[Origin]:
    origin = Origin()
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0)
    origin.port = server.sockets[0].getsockname()[1]
    try:
        yield origin
    finally:
        origin.closing.set()
        server.close()
        server.abort_clients()
        async with asyncio.timeout(5):
            await server.wait_closed()


def answer(
    body: bytes = b"",
    *,
    status: int = 200,
    content_type: str | None = "application/geo+json",
    length: int | None = None,
    **headers: str,
) -> bytes:
    """Return a whole answer; `length` lies about the body's."""
    lines = [f"HTTP/1.1 {status} Because"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
