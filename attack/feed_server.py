"""An HTTP server on loopback whose answers break every rule; or that must not be asked."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

HOST: Final = "127.0.0.1"
LINGER: Final = 30.0
"""The most seconds that one answer takes."""

NOTHING: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

PATIENCE: Final = 5.0

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]
Reply = bytes | Script


class FeedServer:
    """Serves each path with its reply, others with `otherwise`; `asked` counts requests by path."""

    def __init__(self) -> None:
        self.port = 0
        self.replies: dict[str, Reply] = {}
        self.otherwise: Reply = NOTHING
        self.asked: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://{HOST}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one request, then close."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(LINGER):
                    head = await reader.readuntil(b"\r\n\r\n")
                    path = head.split(b" ", 2)[1].decode("latin-1").partition("?")[0]
                    self.asked[path] += 1
                    await _send(self.replies.get(path, self.otherwise), writer)
        finally:
            writer.transport.abort()

    async def close(self) -> None:
        """End all answers."""
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _send(reply: Reply, writer: asyncio.StreamWriter) -> None:
    if isinstance(reply, bytes):
        writer.write(reply)
        await writer.drain()
        writer.write_eof()
        # Closing at once could lose what the reader has not read yet.
        await asyncio.sleep(0.2)
    else:
        await reply(writer)


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[FeedServer]:
    """Serve until the end of the block."""
    feeds = FeedServer()
    server = await asyncio.start_server(feeds.serve, HOST, 0)
    feeds.port = server.sockets[0].getsockname()[1]
    try:
        yield feeds
    finally:
        server.close()
        server.abort_clients()
        await feeds.close()
        async with asyncio.timeout(PATIENCE):
            await server.wait_closed()


def answer(
    body: bytes = b"",
    *,
    status: int = 200,
    content_type: str = "application/geo+json",
    length: int | None = None,
    **headers: str,
) -> bytes:
    """Return a whole answer; `length` lies about that of the body."""
    lines = [f"HTTP/1.1 {status} Because", f"Content-Type: {content_type}"]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
