"""`POST /refresh` from many callers at once, beside the same promise written bare."""

from typing import Final

from bench import load, pipeline, rounds, usage
from bench.latest import Round
from bench.pipeline import Work
from bench.system import Side

CONNECTIONS: Final = 32
WARM_UP: Final = 50


async def compare(mousetrap: Side, bare: Side, *, count: int, jobs: int) -> dict[str, list[Round]]:
    """Measure both sides `count` times, `jobs` requests each."""
    sides = {"mousetrap": mousetrap, "bare": bare}
    for side in sides.values():
        await _round(side, WARM_UP)
    return await rounds.alternate(sides, count, lambda side: _round(side, jobs))


async def _round(side: Side, jobs: int) -> Round:
    work = Work("1-point", jobs=jobs, singles=0)
    async with pipeline.ends(side) as ends:
        before = usage.cpu_seconds(side.pids["api"])
        done = await load.drive(
            side.port,
            work.request,
            status=202,
            connections=CONNECTIONS,
            go_on=load.times(jobs),
        )
        cpu = usage.cpu_seconds(side.pids["api"]) - before
        await ends.succeeded(jobs)  # the next round begins with nothing to do
    p50, p99 = done.percentiles(50, 99)
    return Round(done.per_second, cpu / jobs * 1e6, p50 * 1e3, p99 * 1e3)
