"""A drained backlog: the cost of the two stages, without `POST /refresh`."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from bench import pipeline, rounds, usage
from bench.pipeline import Work
from bench.results import Drain
from bench.system import Side

WORKERS: Final = ("fetch_worker", "process_worker")
WARM_UP: Final = 100
BUDGET: Final = 60.0
"""Seconds after which no further round begins; queueing the jobs takes most of them."""


async def compare(sides: Mapping[str, Side], *, count: int, jobs: int) -> dict[str, list[Drain]]:
    """Measure all sides `count` times, with `jobs` jobs each."""
    for side in sides.values():
        await _round(side, WARM_UP)
    return await rounds.alternate(sides, count, lambda side: _round(side, jobs), budget=BUDGET)


async def _round(side: Side, jobs: int) -> Drain:
    work = Work("1-point", jobs=jobs, singles=0)
    workers = {name: side.pids[name] for name in WORKERS}
    async with pipeline.ends(side) as ended:
        with held(workers):
            await pipeline.refresh(side, work, jobs=jobs, connections=pipeline.CONNECTIONS)
            before = {name: usage.cpu_seconds(pid) for name, pid in workers.items()}
            start = time.perf_counter()
        end = await ended.succeeded(jobs)
        used = {name: usage.cpu_seconds(pid) - before[name] for name, pid in workers.items()}
    return Drain(
        jobs_per_s=jobs / (end - start),
        cpu_us_per_job={name: seconds / jobs * 1e6 for name, seconds in used.items()},
    )


@contextmanager
def held(workers: Mapping[str, int]) -> Iterator[None]:
    """Stop the workers within the block.

    Messages in a stream are not sent again meanwhile, even if it takes longer than a lease.
    """
    try:
        for pid in workers.values():
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in workers.values():
            os.kill(pid, signal.SIGCONT)
