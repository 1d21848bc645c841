"""Another caller, in a process of its own: measures `GET /` and requests jobs while others attack.

`python -m attack.caller PORT SECONDS ADDRESS TOKEN` prints an Experience as JSON. Requests are due
at a steady rate whatever became of earlier ones, so delays add up as they do for people; each uses
a connection of its own.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from attack.target import Target
from attack.wire import Answer

HOST: Final = "127.0.0.1"
RATE: Final = 50.0
JOBS_RATE: Final = 1.0
DEADLINE: Final = 5.0
OK: Final = 200
ACCEPTED: Final = 202


class Experience(msgspec.Struct, frozen=True):
    """The latency of each `GET /` in seconds, None without a good answer; the accepted jobs."""

    latencies: list[float | None]
    jobs: list[UUID]


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and return 0."""
    port, seconds, address, token = arguments
    aim = Target(HOST, int(port), token=token)
    found = asyncio.run(measure(aim, float(seconds), address))
    sys.stdout.write(msgspec.json.encode(found).decode())
    return 0


async def measure(target: Target, seconds: float, address: str) -> Experience:
    """Return what a caller at `address` experiences within some seconds."""
    begin = time.perf_counter() + 0.05
    async with asyncio.TaskGroup() as group:
        reads = [
            group.create_task(_read(target, address, begin + number / RATE))
            for number in range(int(seconds * RATE))
        ]
        refreshes = [
            group.create_task(_refresh(target, address, begin + number / JOBS_RATE))
            for number in range(int(seconds * JOBS_RATE))
        ]
    accepted = [job for task in refreshes if (job := task.result()) is not None]
    return Experience([task.result() for task in reads], accepted)


async def _read(target: Target, address: str, due: float) -> float | None:
    answer = await _ask(target, "GET /", b"", address, due)
    seconds = time.perf_counter() - due
    return seconds if answer is not None and answer.status == OK else None


async def _refresh(target: Target, address: str, due: float) -> UUID | None:
    answer = await _ask(target, "POST /refresh", b'{"source":"bystander"}', address, due)
    return UUID(answer.json["job_id"]) if answer and answer.status == ACCEPTED else None


async def _ask(target: Target, line: str, body: bytes, address: str, due: float) -> Answer | None:
    await asyncio.sleep(max(0.0, due - time.perf_counter()))
    try:
        return await target.ask(line, body=body, source=address, seconds=DEADLINE)
    except (OSError, TimeoutError):
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
