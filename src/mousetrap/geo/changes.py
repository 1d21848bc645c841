"""The features that are new or gone from one batch of a source to the next."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

MAX_IDS: Final = 1000
"""The maximum number of ids of each kind that are named; all are counted."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The ids of a batch that the batch of the summary `since` lacks, and the other way round.

    `new` and `gone` count different ids. `new_ids` and `gone_ids` are the first MAX_IDS of them, in
    the order of their batch. All is empty, and `since` None, when there is nothing to compare with.
    """

    since: UUID | None = None
    new: int | None = None
    gone: int | None = None
    new_ids: tuple[str, ...] = ()
    gone_ids: tuple[str, ...] = ()


class Comparison:
    """Compares the ids of a batch with those of an earlier one, which come in parts.

    A feature without an id is in neither.
    """

    def __init__(self, ids: Iterable[str | None]) -> None:
        self._new = {it: None for it in ids if it is not None}  # a set would lose their order
        self._known = set(self._new)
        self._gone: dict[str, None] = {}

    def add(self, ids: Iterable[str | None]) -> None:
        """Take the ids of a part of the earlier batch."""
        for it in ids:
            if it in self._known:
                self._new.pop(it, None)
            elif it is not None:
                self._gone[it] = None

    def changes(self, since: UUID) -> Changes:
        """Return what is new or gone since the summary of the earlier batch."""
        new, gone = list(self._new), list(self._gone)
        return Changes(since, len(new), len(gone), tuple(new[:MAX_IDS]), tuple(gone[:MAX_IDS]))
