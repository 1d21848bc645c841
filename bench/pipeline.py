"""The pipeline from `POST /refresh` to the stored summary, beside the bare stages."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from bench import load, rounds, usage
from bench.database import connected
from bench.errors import PipelineError
from bench.load import HOST
from bench.results import BARE, OURS, Passage
from bench.system import Side
from mousetrap.jobs.state import State
from mousetrap.store.notices import JOBS

CONNECTIONS: Final = 16
WARM_UP: Final = 20
PAUSE: Final = 0.02
DEADLINE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Work:
    """The work of a round: `jobs` for a source at once, then `singles` on the idle system."""

    source: str
    jobs: int
    singles: int

    @property
    def request(self) -> bytes:
        """Return a request for one job."""
        body = msgspec.json.encode({"source": self.source})
        head = f"POST /refresh HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}"
        return f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body


async def compare(
    mousetrap: Side, bare: Side, work: Work, *, count: int
) -> dict[str, list[Passage]]:
    """Measure both sides `count` times."""
    sides = {OURS: mousetrap, BARE: bare}
    for side in sides.values():
        await perform(side, replace(work, jobs=WARM_UP, singles=1))
    return await rounds.alternate(sides, count, lambda side: perform(side, work))


async def perform(side: Side, work: Work) -> Passage:
    """Do the work once and wait until all of it is stored."""
    async with ends(side) as ended:
        before = {name: usage.cpu_seconds(pid) for name, pid in side.pids.items()}
        accepted = await refresh(side, work, jobs=work.jobs, connections=CONNECTIONS)
        end = await ended.succeeded(work.jobs)
        used = {name: usage.cpu_seconds(pid) - before[name] for name, pid in side.pids.items()}
        latencies = [await single(side, work, ended) for _ in range(work.singles)]
    return Passage(
        jobs_per_s=work.jobs / (end - accepted.start),
        cpu_us_per_job={name: seconds / work.jobs * 1e6 for name, seconds in used.items()},
        accepted_to_stored_ms=statistics.median(latencies) * 1e3,
    )


async def single(side: Side, work: Work, ends: "Ends") -> float:
    """Return the seconds from the answer to a request until its job is stored."""
    await asyncio.sleep(PAUSE)  # the previous job is over, with its acknowledgements
    accepted = await refresh(side, work, jobs=1, connections=1)
    return await ends.succeeded(1) - accepted.end


async def refresh(side: Side, work: Work, *, jobs: int, connections: int) -> load.Load:
    """Submit jobs; raises LoadError unless each is accepted."""
    return await load.drive(
        side.port, work.request, status=202, connections=connections, go_on=load.times(jobs)
    )


class Ends:
    """The ends of jobs, from the notices of Postgres; those asked for come within `patience`."""

    def __init__(self, patience: float = DEADLINE) -> None:
        self._patience = patience
        self._told: asyncio.Queue[tuple[float, str, str]] = asyncio.Queue()

    def hear(self, _: object, __: int, ___: str, payload: Any) -> None:
        """Handle one notice; a job that waits has not ended."""
        change = msgspec.json.decode(payload)
        if change["state"] != State.QUEUED:
            self._told.put_nowait((time.perf_counter(), change["job_id"], change["state"]))

    async def succeeded(self, jobs: int) -> float:
        """Return the time at which the last of `jobs` more jobs ended; raises PipelineError."""
        return max((await self.each(jobs)).values())

    async def each(self, jobs: int) -> dict[str, float]:
        """Return the times at which `jobs` more jobs ended, by id; raises PipelineError."""
        found = {}
        try:
            async with asyncio.timeout(self._patience):
                for _ in range(jobs):
                    end, job_id, state = await self._told.get()
                    if state != State.SUCCEEDED:
                        raise PipelineError(f"a job has {state}: see why with GET /jobs")
                    found[job_id] = end
        except TimeoutError:
            raise PipelineError(f"not all of {jobs} jobs ended in {self._patience:g} s") from None
        return found


@asynccontextmanager
async def ends(side: Side) -> AsyncIterator[Ends]:
    """Listen to the ends of jobs on one side."""
    heard = Ends()
    async with connected(side.dsn, DEADLINE) as connection:
        await connection.add_listener(JOBS, heard.hear)
        yield heard
