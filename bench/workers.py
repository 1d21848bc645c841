"""More workers of each kind on the same backlog: their effect and their cost."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bench import backlog, drain, usage
from bench.database import connected
from bench.system import System

COUNTS: Final = (1, 2, 4, 8)
ROUNDS: Final = 2


@dataclass(frozen=True, slots=True)
class Round:
    """A backlog of `jobs` jobs, drained by `workers` workers of each kind.

    The processor time is that of all processes of a name.
    """

    workers: int
    jobs: int
    jobs_per_s: float
    cpu_us_per_job: dict[str, float]


def plan() -> Iterator[int]:
    """Yield the numbers of workers to measure, up and down again."""
    for number in range(ROUNDS):
        yield from COUNTS if number % 2 == 0 else reversed(COUNTS)


async def perform(system: System, workers: int, jobs: int) -> Round:
    """Let `count` workers of each kind drain a backlog of `jobs` jobs.

    The system has to be new. Raises BenchError and StackError.
    """
    side = await system.api()
    async with connected(side.dsn, backlog.PATIENCE) as database, backlog.heard(side) as ends:
        pids = await system.workers(workers)
        with drain.held(pids):
            await backlog.fill(system, database, jobs)
            before, start = _used(system, pids), time.monotonic()
        await ends.reach(jobs)
        seconds = time.monotonic() - start
        used = {name: it - before[name] for name, it in _used(system, pids).items()}
    return Round(
        workers, jobs, jobs / seconds, {name: it / jobs * 1e6 for name, it in used.items()}
    )


def _used(system: System, pids: Mapping[str, int]) -> dict[str, float]:
    return {
        "fetch": _of(pids, "fetch_worker"),
        "process": _of(pids, "process_worker"),
        "postgres": usage.family_cpu_seconds(system.postgres_pid),
        "valkey": usage.cpu_seconds(system.valkey_pid),
    }


def _of(pids: Mapping[str, int], kind: str) -> float:
    return sum(usage.cpu_seconds(pid) for name, pid in pids.items() if name.startswith(kind))
