"""Raw connections to the API as it is served, in a process that reaches nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import msgspec
import uvicorn
from uvicorn.server import ServerState

from mousetrap.api.http.connections import Connections
from mousetrap.api.http.limits import Application, Send
from mousetrap.api.http.protocol import Connection
from mousetrap.api.schema.problem import Problem

DEADLINE = 20.0


class Caller:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._transport = cast("asyncio.Transport", writer.transport)
        self.headers: dict[bytes, bytes] = {}
        """Those of the last answer."""

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    def stop_reading(self) -> None:
        self._transport.pause_reading()

    def go_on_reading(self) -> None:
        self._transport.resume_reading()

    async def go_on(self, data: bytes, *, pause: float = 0.0) -> None:
        while True:
            self.send(data)
            await self.drain()
            await asyncio.sleep(pause)

    async def answer(self) -> tuple[int, bytes]:
        """Read one answer: its status and its body."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        self.headers = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
        return int(head.split()[1]), await self._reader.readexactly(
            int(self.headers[b"content-length"])
        )

    async def read(self, size: int) -> bytes:
        """Read at most `size` bytes."""
        return await self._reader.read(size)

    def close(self) -> None:
        self._writer.close()

    async def problem(self) -> tuple[int, str]:
        status, body = await self.answer()
        found = msgspec.json.decode(body, type=Problem)
        assert found.status == status
        return status, found.type.removeprefix("urn:mousetrap:problem:")

    async def closed(self) -> bool:
        """Return whether nothing more comes before the connection ends."""
        return await self._reader.read() == b""


@dataclass(frozen=True)
class Server:
    """An application that is served at an address."""

    address: tuple[str, int]

    @asynccontextmanager
    async def connect(self, host: str = "127.0.0.1") -> AsyncIterator[Caller]:
        """Connect to it, perhaps from an address of one's own."""
        with socket.socket() as end:
            # A small window: little is on its way when nobody reads.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            end.settimeout(0)
            end.bind((host, 0))
            async with asyncio.timeout(DEADLINE):
                await asyncio.get_running_loop().sock_connect(end, self.address)
                reader, writer = await asyncio.open_connection(sock=end.dup())
        async with asyncio.timeout(DEADLINE):
            try:
                yield Caller(reader, writer)
            finally:
                writer.close()


async def succeed(send: Send, body: bytes = b"") -> None:
    """Answer with status 200."""
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@asynccontextmanager
async def serving(
    app: Application,
    connections: Connections,
    *,
    keep_alive: float = DEADLINE,
    kind: type[Connection] = Connection,
) -> AsyncIterator[Server]:
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
        timeout_keep_alive=cast("int", keep_alive),
    )
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: kind(config=config, server_state=state, app_state={}, connections=connections),
        "127.0.0.1",
        0,
    )

    yield Server(server.sockets[0].getsockname())
    server.close()
    for left in list(state.connections):
        left.transport.abort()
    async with asyncio.timeout(DEADLINE):
        await server.wait_closed()
