"""A source that never answers, and its effect on the jobs of another one."""

import contextlib
import socket
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import pipeline
from bench.goals import Goal, most
from bench.pipeline import Work
from bench.system import SOURCES, Side, System
from mousetrap.stack.ports import HOST

JOBS: Final = 40
SINGLES: Final = 40
ROUNDS: Final = 3
WARM_UP: Final = 20
LIMIT: Final = 1.25
WORK: Final = Work("100-points", jobs=1, singles=1)

SILENT: Final = """
[sources.silent]
kind = "geojson"
url = "http://{host}:{port}/"
deadline = 600
allow_private = true
"""


@dataclass(frozen=True, slots=True)
class Fairness:
    """Milliseconds from 202 to stored of single jobs on the idle system, a median for each round.

    `beside` are those while `jobs` jobs of a source that never answers wait in front of them.
    """

    jobs: int
    alone: list[float]
    beside: list[float]


@contextlib.contextmanager
def served(root: Path) -> Iterator[Path]:
    """Yield the path of a `sources.toml` with a source that never answers.

    The kernel completes connections to a socket on which nobody accepts.
    """
    with socket.create_server((HOST, 0), backlog=JOBS) as listener:
        path = root / "sources.toml"
        path.write_text(SOURCES + SILENT.format(host=HOST, port=listener.getsockname()[1]))
        yield path


async def perform(system: System, jobs: int) -> Fairness:
    """Measure single jobs, add the jobs of the silent source, and measure again."""
    side = await system.mousetrap()
    await _singles(side, WARM_UP)
    alone = [await _singles(side, SINGLES) for _ in range(ROUNDS)]
    silent = Work("silent", jobs=jobs, singles=0)
    await pipeline.refresh(side, silent, jobs=jobs, connections=pipeline.CONNECTIONS)
    return Fairness(jobs, alone, [await _singles(side, SINGLES) for _ in range(ROUNDS)])


def goal(found: Fairness) -> Goal:
    """Return the goal that a silent source delays no other."""
    name = f"202 to stored beside {found.jobs} jobs of a silent source, ms"
    return Goal(name, most(LIMIT), found.beside, "without them", found.alone)


def flaws(found: Fairness) -> Sequence[str]:
    """Return a flaw if the goal is not met."""
    it = goal(found)
    ratio = statistics.median(it.figures)
    return [] if it.met else [f"a silent source delays another {ratio:.2f} times"]


async def _singles(side: Side, count: int) -> float:
    async with pipeline.ends(side) as ended:
        latencies = [await pipeline.single(side, WORK, ended) for _ in range(count)]
    return statistics.median(latencies) * 1e3
