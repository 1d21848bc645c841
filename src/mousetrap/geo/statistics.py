"""The statistics of a number that points have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum, isinf, ldexp
from typing import Final

from mousetrap.geo.runs import Runs

# A power of two, so that nothing but subnormal numbers is rounded by it.
SCALE: Final = 32


@dataclass(frozen=True, slots=True)
class Statistics:
    """The statistics of `count` numbers; all others are None when there is no number."""

    count: int
    min: float | None
    median: float | None
    max: float | None
    mean: float | None


def statistics_of(values: Iterable[float | None]) -> Statistics:
    """Return the statistics of the finite numbers among `values`, whatever their order.

    The median of an even count is the middle between the two middle numbers.
    """
    runs = Runs()
    runs.add(value + 0.0 for value in values if value is not None)
    return statistics_in(runs)


def statistics_in(runs: Runs) -> Statistics:
    """Return the statistics of numbers that came in parts, as `statistics_of` does."""
    numbers = runs.sorted()
    count = len(numbers)
    if not count:
        return Statistics(0, None, None, None, None)
    low, high = numbers[(count - 1) // 2], numbers[count // 2]
    # Rounded twice, the mean of equal numbers may be another one.
    mean = min(max(_mean(numbers), numbers[0]), numbers[-1])
    return Statistics(count, numbers[0], _middle(low, high), numbers[-1], mean)


def _middle(low: float, high: float) -> float:
    middle = (low + high) / 2
    return low / 2 + high / 2 if isinf(middle) else middle


def _mean(numbers: Sequence[float]) -> float:
    # fsum rounds the exact sum once, so the order does not matter.
    try:
        return fsum(numbers) / len(numbers)
    except OverflowError:
        return ldexp(fsum(ldexp(it, -SCALE) for it in numbers) / len(numbers), SCALE)
