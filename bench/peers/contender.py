"""A contender: its client, its workers, and its stored results."""

import asyncio
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg

from bench.peers.door import Door
from bench.peers.errors import PeerError
from bench.peers.worker import Worker

FETCH: Final = "fetch"
PROCESS: Final = "process"
STAGES: Final = (FETCH, PROCESS)
START_DEADLINE: Final = 90.0
# Seconds between first jobs, and between checks: a job sent before its queue exists may be lost.
SEND_EVERY: Final = 2.0
LOOK_EVERY: Final = 0.05


@dataclass(frozen=True, slots=True)
class Stored:
    """How often the result of a job was stored, and when first, by the wall clock."""

    times: int
    first: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """SQL about stored results: id, count and first time of each job; the number of rows."""

    tally: str
    count: str


class Contender:
    """A running contender; its `ledger` finds its stored results."""

    def __init__(
        self,
        name: str,
        door: Door,
        workers: Mapping[str, Worker],
        connection: "asyncpg.Connection[asyncpg.Record]",
        ledger: Ledger,
    ) -> None:
        self.name = name
        self.door = door
        self.workers = workers
        self._connection = connection
        self._ledger = ledger

    async def stored(self) -> dict[str, Stored]:
        """Return the stored results by the ids of the jobs."""
        rows = await self._connection.fetch(self._ledger.tally)
        return {job: Stored(times, first) for job, times, first in rows}

    async def count(self) -> int:
        """Return the number of stored results, including repeated ones; it is fast."""
        found: int = await self._connection.fetchval(self._ledger.count)
        return found

    async def ready(self) -> None:
        """Wait until a first job is stored; raises PeerError."""
        end = time.monotonic() + START_DEADLINE
        again = 0.0
        while not await self.stored():
            if time.monotonic() > end:
                raise PeerError(f"{self.name} stored nothing in {START_DEADLINE:g} s\n{self.logs}")
            if time.monotonic() > again:
                self.door.submit(str(uuid.uuid4()))
                again = time.monotonic() + SEND_EVERY
            await asyncio.sleep(LOOK_EVERY)
        await self.door.answered()

    @contextmanager
    def held(self, *names: str) -> Iterator[None]:
        """Stop some or all workers within the block."""
        with ExitStack() as stack:
            for name in names or self.workers:
                stack.enter_context(self.workers[name].held())
            yield

    @property
    def deaths(self) -> int:
        """How often a worker ended although we had not killed it."""
        return sum(worker.deaths for worker in self.workers.values())

    @property
    def logs(self) -> str:
        """The ends of the logs of all workers."""
        return "\n".join(f"{name}:\n{worker.log()}" for name, worker in self.workers.items())

    async def stop(self) -> None:
        """End the client and all workers."""
        await self.door.close()
        for worker in self.workers.values():
            worker.stop()
        await self._connection.close()
