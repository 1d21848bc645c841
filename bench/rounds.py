"""Rounds that alternate between sides."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

BUDGET: Final = 15.0


async def alternate[S, R](
    sides: Mapping[str, S],
    count: int,
    measure: Callable[[S], Awaitable[R]],
    *,
    budget: float = BUDGET,
) -> dict[str, list[R]]:
    """Measure each side `count` times, in turn, or fewer times within `budget` seconds.

    Every other round is in reverse order, so that a change in machine speed favours no side.
    """
    found: dict[str, list[R]] = {name: [] for name in sides}
    end = time.monotonic() + budget
    for number in range(count):
        if number > 0 and time.monotonic() > end:
            break
        for name in sorted(sides, reverse=number % 2 == 1):
            found[name].append(await measure(sides[name]))
    return found
