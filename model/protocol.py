"""The protocol that is explored: its bounds, and mechanisms that can be taken away."""

from dataclasses import dataclass
from typing import Final, Literal

from model.mechanisms import MECHANISMS

Kind = Literal["fetch", "process"]
KINDS: Final[tuple[Kind, ...]] = ("fetch", "process")


@dataclass(frozen=True, slots=True)
class Protocol:
    """The protocol as it is, or `without` some of its MECHANISMS.

    `attempts` are those of a round, `deliveries` those of an entry before it is given up, and
    `retries` those that a person makes. A caller sends a request at most `requests` times. There
    are two API processes and reconcilers, and so many `workers` of each kind.

    At most `faults` happen in a run. A `hostile` queue has no streams: every message that was ever
    sent may come at any time, any number of times or never, and faults have no limit. Each worker
    of the kind `poisoned` that begins to work on a message dies, which is not one of the faults.
    """

    attempts: int = 3
    deliveries: int = 2
    retries: int = 0
    requests: int = 1
    faults: int = 1
    workers: int = 2
    hostile: bool = False
    poisoned: Kind | None = None
    without: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if unknown := self.without.difference(MECHANISMS):
            raise ValueError(f"no mechanism: {', '.join(sorted(unknown))}")

    def has(self, mechanism: str) -> bool:
        """Return whether a mechanism is in force."""
        return mechanism not in self.without
