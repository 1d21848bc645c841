"""`POST /refresh`, from one and from many callers, beside a bare server with the same promise."""

from collections.abc import Mapping
from typing import Final

from bench import load, newest, pipeline, rounds
from bench.pipeline import Work
from bench.results import BARE, OURS, Requests
from bench.system import Side

CASES: Final = {"POST /refresh, one caller": 1, "POST /refresh, 32 callers": 32}
WARM_UP: Final = 50


async def compare(
    mousetrap: Side, bare: Side, *, count: int, jobs: int
) -> dict[str, dict[str, list[Requests]]]:
    """Measure both sides `count` times for each of CASES: `jobs` requests, a third if from one."""
    sides = {OURS: mousetrap, BARE: bare}
    return {
        name: await _compare(sides, callers, count=count, jobs=jobs if callers > 1 else jobs // 3)
        for name, callers in CASES.items()
    }


async def _compare(
    sides: Mapping[str, Side], callers: int, *, count: int, jobs: int
) -> dict[str, list[Requests]]:
    for side in sides.values():
        await _round(side, callers, WARM_UP)
    return await rounds.alternate(sides, count, lambda side: _round(side, callers, jobs))


async def _round(side: Side, callers: int, jobs: int) -> Requests:
    work = Work("1-point", jobs=jobs, singles=0)
    async with pipeline.ends(side) as ends:
        measured = await newest.measure(
            side,
            work.request,
            status=202,
            connections=callers,
            go_on=load.times(jobs),
        )
        await ends.succeeded(jobs)  # the next round begins on an idle system
    return measured
