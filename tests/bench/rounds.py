"""Rounds that alternate between two sides, and what they came to."""

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from bench.system import Side

BUDGET: Final = 15.0


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, and the least and the greatest of them."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Return the spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


async def alternate[R](
    sides: Mapping[str, Side], count: int, measure: Callable[[Side], Awaitable[R]]
) -> dict[str, list[R]]:
    """Measure each side `count` times, in turn; fewer times when that takes over BUDGET seconds.

    Every other round goes backwards, so that a machine that gets slower or faster favours nobody.
    """
    found: dict[str, list[R]] = {name: [] for name in sides}
    end = time.monotonic() + BUDGET
    for number in range(count):
        if number > 0 and time.monotonic() > end:
            break
        for name in sorted(sides, reverse=number % 2 == 1):
            found[name].append(await measure(sides[name]))
    return found
