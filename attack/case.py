"""Attacks by name, and what became of each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from attack.target import Target


class Kind(StrEnum):
    """The kinds of attacks, in the order in which they are tried."""

    FRAMING = "framing"
    SIZES = "sizes"
    PARAMETERS = "parameters"
    PATHS = "paths"
    CROSS_SITE = "cross-site"
    AUTHENTICATION = "authentication"
    IDEMPOTENCY = "idempotency"
    SLOWNESS = "slowness"
    FLOODS = "floods"
    FEEDS = "feeds"
    POISON = "poison"
    ROLES = "roles"


class Result(StrEnum):
    """The result of an attack."""

    HELD = "held"
    NOT_HELD = "NOT held"
    NOT_TRIED = "not tried"


Act = Callable[[Target], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: `act` returns if the system held, else raises NotHeldError or NotTriedError.

    `finding` is the row of the threat table that it comes from, empty for one that always held. An
    act that takes longer than `seconds` has not held. A `quick` one is tried on every commit.
    """

    kind: Kind
    name: str
    finding: str
    act: Act
    seconds: float = 15.0
    quick: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an attack, and the reason if it did not hold or was not tried."""

    kind: Kind
    name: str
    finding: str
    result: Result
    reason: str = ""
    seconds: float = 0.0


AT_ONCE: Final[Mapping[Kind, int]] = {
    Kind.FRAMING: 8,
    Kind.SIZES: 4,
    Kind.PARAMETERS: 4,
    Kind.PATHS: 8,
    Kind.CROSS_SITE: 4,
    Kind.AUTHENTICATION: 4,
    Kind.IDEMPOTENCY: 1,
    Kind.SLOWNESS: 32,
    Kind.FLOODS: 1,
    Kind.FEEDS: 64,
    Kind.POISON: 1,
    Kind.ROLES: 1,
}
"""The number of attacks of a kind that run side by side; floods are tried one by one."""
