"""The numbers of points by the value of a property."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Final

MAX_GROUPS: Final = 50
"""The maximum number of values that are told apart."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Numbers of points by value.

    `counts` has the MAX_GROUPS most frequent values, the most frequent one first; of equally
    frequent ones that which comes first by code points. `others` counts the points with any other
    value, and `without` those without a value. `distinct` counts the values, `counts` or not.
    """

    counts: dict[str, int]
    others: int
    without: int
    distinct: int


def groups_of(values: Sequence[str | None]) -> Groups:
    """Return the numbers of points by value, whatever the order of the points."""
    found = Counter(values)
    without = found.pop(None, 0)
    frequent: list[tuple[str, int]] = nsmallest(
        MAX_GROUPS,
        ((value, count) for value, count in found.items() if value is not None),
        key=lambda it: (-it[1], it[0]),
    )
    others = len(values) - without - sum(count for _, count in frequent)
    return Groups(dict(frequent), others, without, len(found))
