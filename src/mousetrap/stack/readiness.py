"""The readiness of a process, asked over HTTP."""

import asyncio
from contextlib import closing

DEADLINE = 2.0
PERIOD = 0.1


async def wait(port: int) -> None:
    """Return once `/health/ready` on a port of this machine answers 200."""
    while not await is_ready(port):  # noqa: ASYNC110 - another process cannot set an event here
        await asyncio.sleep(PERIOD)


async def is_ready(port: int) -> bool:
    """Tell whether `/health/ready` on a port of this machine answers 200 now."""
    try:
        async with asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            with closing(writer):
                writer.write(
                    b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
                )
                return (await reader.readline()).split()[1:2] == [b"200"]
    except (OSError, ValueError):
        return False
