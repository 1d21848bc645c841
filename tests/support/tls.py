"""Servers by TLS: the embedded ones are built without it, so another program ends it for them."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from chaos.relays import closed, copy, listening

CERTIFICATE: Final = Path("tests/resources/localhost.pem").resolve()
"""Of `localhost` and 127.0.0.1, signed by itself."""
OTHER: Final = Path("tests/resources/feed-test.pem").resolve()
"""Of a host of another name."""

SSL_REQUEST: Final = bytes([0, 0, 0, 8, 4, 210, 22, 47])
"""The first message of a client of Postgres that asks for TLS."""


@contextlib.asynccontextmanager
async def before(
    server: Path | int, *, certificate: Path = CERTIFICATE, asked: bool = False
) -> AsyncIterator[int]:
    """End TLS before a server that listens on a socket or port; yield the port of localhost.

    If `asked`, TLS begins when the client asks for it as clients of Postgres do.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["postgresql"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if asked:
            assert await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST
            writer.write(b"S")
            await writer.start_tls(context)
        if isinstance(server, int):
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", server)
        else:
            inner_reader, inner_writer = await asyncio.open_unix_connection(server)
        async with closed(inner_writer), asyncio.TaskGroup() as group:
            group.create_task(copy(reader, inner_writer))
            group.create_task(copy(inner_reader, writer))

    async with listening(serve, None if asked else context) as port:
        yield port
