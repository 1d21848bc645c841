"""The numbers of points by the value of a property."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from typing import Final

from mousetrap.geo.errors import TooManyGroupsError

MAX_GROUPS: Final = 50
"""The maximum number of values that a summary names."""

MAX_DISTINCT: Final = 250_000
MAX_CHARACTERS: Final = 16 * 1024 * 1024
"""The maximum number of different values, and of their characters: they are in memory at once."""


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
    counts = Counts()
    counts.add(values)
    return counts.groups()


class Counts:
    """The numbers of points by value of batches that come one after the other."""

    def __init__(self) -> None:
        self._counts: Counter[str | None] = Counter()
        self._characters = 0

    def add(self, values: Sequence[str | None]) -> None:
        """Count further points; raises TooManyGroupsError."""
        before = len(self._counts)
        self._counts.update(values)
        self._characters += sum(
            len(value) for value in islice(self._counts, before, None) if value is not None
        )
        if len(self._counts) > MAX_DISTINCT + 1 or self._characters > MAX_CHARACTERS:
            raise TooManyGroupsError(
                f"the points have more than {MAX_DISTINCT} groups, or more than {MAX_CHARACTERS}"
                " characters of them: set group_by of this source to a property with fewer values"
            )

    def groups(self) -> Groups:
        """Return the groups of all points so far, as `groups_of` does."""
        without = self._counts[None]
        found = self._counts.items()
        frequent: list[tuple[str, int]] = nsmallest(
            MAX_GROUPS,
            ((value, count) for value, count in found if value is not None),
            key=lambda it: (-it[1], it[0]),
        )
        others = self._counts.total() - without - sum(count for _, count in frequent)
        return Groups(dict(frequent), others, without, len(found) - (None in self._counts))
