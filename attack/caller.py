"""Another caller, in a process of its own: measures `GET /` while others attack.

`python -m attack.caller PORT SECONDS ADDRESS` prints the latency of each request in seconds as a
JSON list. Requests are due at a steady rate whatever became of earlier ones, so delays add up as
they do for people; each uses a connection of its own. `null` is a request without a good answer.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from attack import wire

RATE: Final = 50.0
DEADLINE: Final = 5.0


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return 0."""
    port, seconds, address = int(arguments[0]), float(arguments[1]), arguments[2]
    found = asyncio.run(measure(port, seconds, address))
    sys.stdout.write(msgspec.json.encode(found).decode())
    return 0


async def measure(port: int, seconds: float, address: str) -> list[float | None]:
    """Return the latency of each request from the moment at which it was due."""
    begin = time.perf_counter() + 0.05
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_ask(port, address, begin + number / RATE))
            for number in range(int(seconds * RATE))
        ]
    return [task.result() for task in tasks]


async def _ask(port: int, address: str, due: float) -> float | None:
    await asyncio.sleep(max(0.0, due - time.perf_counter()))
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
    try:
        async with wire.connected("127.0.0.1", port, source=address) as connection:
            await connection.send(request)
            answer = await connection.receive(seconds=DEADLINE)
    except (OSError, TimeoutError):
        return None
    return time.perf_counter() - due if answer.status == 200 else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
