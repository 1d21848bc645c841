"""Counts the holders of slots, of which there are only so many."""

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from enum import Enum


class Full(Enum):
    """The limit that leaves no slot."""

    TOTAL = "total"
    HOLDER = "peer"


class Slots:
    """At most `maximum` slots, of which one holder has at most `per_holder`.

    The holder None stands for many, and is bounded by the maximum alone.
    """

    def __init__(self, maximum: int, per_holder: int) -> None:
        self.maximum = maximum
        self.taken = 0
        self._per_holder = per_holder
        self._of: Counter[Hashable] = Counter()

    def full(self, holder: Hashable | None) -> Full | None:
        """Return the limit that keeps a holder from another slot; None if there is one."""
        if self.taken >= self.maximum:
            return Full.TOTAL
        if holder is not None and self._of[holder] >= self._per_holder:
            return Full.HOLDER
        return None

    def take(self, holder: Hashable | None) -> None:
        """Take a slot, whether or not there is one."""
        self.taken += 1
        self._of[holder] += 1

    def leave(self, holder: Hashable | None) -> None:
        """Give a slot back."""
        self.taken -= 1
        self._of[holder] -= 1
        if not self._of[holder]:
            del self._of[holder]

    @contextmanager
    def held(self, holder: Hashable | None) -> Iterator[None]:
        """Hold a slot."""
        self.take(holder)
        try:
            yield
        finally:
            self.leave(holder)
