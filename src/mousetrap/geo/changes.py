"""The features that are new or gone from one batch of a source to the next."""

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
