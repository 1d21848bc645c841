"""Numbers that come in parts, and are sorted in the end."""

from array import array
from collections.abc import Iterable
from itertools import chain


class Runs:
    """Sorted runs of numbers, of which neighbours are merged once they are of a size.

    A number takes eight bytes. Python merges two runs in one step, in which no other thread has a
    turn; sorting a million numbers at once would stop all of them for as long as half a second.
    """

    def __init__(self) -> None:
        self._runs: list[array[float]] = []

    def add(self, numbers: Iterable[float]) -> None:
        """Take further numbers."""
        run = array("d", sorted(numbers))
        while self._runs and len(self._runs[-1]) <= len(run):
            run = _merged(self._runs.pop(), run)
        if run:
            self._runs.append(run)

    def sorted(self) -> "array[float]":
        """Return all numbers so far in ascending order."""
        while len(self._runs) > 1:
            last = self._runs.pop()
            self._runs[-1] = _merged(self._runs[-1], last)
        return self._runs[0] if self._runs else array("d")


def _merged(one: "array[float]", other: "array[float]") -> "array[float]":
    # Sorting finds the runs, and merges them in linear time.
    return array("d", sorted(chain(one, other)))
