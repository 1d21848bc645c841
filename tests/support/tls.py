"""Servers by TLS: the embedded ones are built without it, so another program ends it for them."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

CERTIFICATE: Final = Path("tests/resources/localhost.pem").resolve()
"""Of `localhost` and 127.0.0.1, signed by itself."""
OTHER: Final = Path("tests/resources/feed-test.pem").resolve()
"""Of a host of another name."""

SSL_REQUEST: Final = bytes([0, 0, 0, 8, 4, 210, 22, 47])
"""The first message of a client of Postgres that asks for TLS."""

PIECE: Final = 64 * 1024


@contextlib.asynccontextmanager
async def before(
    server: Path, *, certificate: Path = CERTIFICATE, asked: bool = False
) -> AsyncIterator[int]:
    """End TLS before a server that listens on a socket; yield the port of localhost.

    If `asked`, TLS begins when the client asks for it as clients of Postgres do.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["postgresql"])

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        serving.add(task)
        async with _closed(writer):
            if asked:
                assert await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST
                writer.write(b"S")
                await writer.start_tls(context)
            inner_reader, inner_writer = await asyncio.open_unix_connection(server)
            async with _closed(inner_writer), asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, inner_writer))
                group.create_task(_copy(inner_reader, writer))

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=None if asked else context)
    try:
        port: int = listener.sockets[0].getsockname()[1]
        yield port
    finally:
        listener.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


@contextlib.asynccontextmanager
async def _closed(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close a connection in the end; that the other side has ended it is no error."""
    try:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            yield
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
        writer.close()
