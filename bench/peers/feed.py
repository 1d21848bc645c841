"""A slow source of batches over HTTP, with the delay of the peers' first stage."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from bench.load import HOST

POINTS: Final = 1


@asynccontextmanager
async def serve(delay: float) -> AsyncIterator[str]:
    """Yield a URL that answers after `delay` seconds."""
    body = _batch()
    head = (
        "HTTP/1.1 200 OK\r\nContent-Type: application/geo+json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(delay)
            writer.write(head.encode() + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client was killed
        finally:
            writer.close()

    async with await asyncio.start_server(answer, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://{HOST}:{port}/points.geojson"


def _batch() -> bytes:
    features = [
        {
            "type": "Feature",
            "properties": {"name": f"place {number}"},
            "geometry": {"type": "Point", "coordinates": [number, number]},
        }
        for number in range(POINTS)
    ]
    return msgspec.json.encode({"type": "FeatureCollection", "features": features})
