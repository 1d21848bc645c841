"""`POST /refresh` from many callers at once, beside the same promise written bare."""

from typing import Final

from bench import latest, load, pipeline, rounds
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
        measured = await latest.measure(
            side,
            work.request,
            status=202,
            connections=CONNECTIONS,
            go_on=load.times(jobs),
        )
        await ends.succeeded(jobs)  # the next round begins with nothing to do
    return measured
