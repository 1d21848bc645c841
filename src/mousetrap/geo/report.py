"""How a batch came about: what was left out of it, and what its reader should know."""

from dataclasses import dataclass, field
from typing import Final

MAX_REASONS: Final = 20
MAX_NOTES: Final = 5
MAX_NOTE: Final = 200
"""The maximum number of characters of a note, and of a reason."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """The features that are not in the batch.

    `reasons` counts them by reason, at most MAX_REASONS of which are told apart. `first` names at
    most MAX_NOTES of them, such as "features[17]: no geometry": first the bad ones, which have
    invalid coordinates or are unreadable, then the others, in the order of the source.
    """

    count: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """How a batch came about.

    `pages` counts the answers that it was read from and `bytes` their decompressed bytes; both are
    0 when the source was not asked over a network. `status` is that of the last answer: 200, or
    304 when the batch is the one of the fetch before. `seconds` is how long the fetch took.
    `truncated` says that the source has more points than the batch. `warnings` are at most
    MAX_NOTES sentences for the operator of the source. From a server's answer, texts quote only
    numbers, a declared reference system and names of properties, short and without controls.
    """

    skipped: Skipped = field(default_factory=Skipped)
    pages: int = 0
    bytes: int = 0
    status: int | None = None
    seconds: float = 0.0
    truncated: bool = False
    warnings: tuple[str, ...] = ()
