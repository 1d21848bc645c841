"""The plan of faults and their times, which follow from a seed."""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mousetrap.queue.stages import STAGES


class Kind(StrEnum):
    """The kinds of processes: the columns of the failure matrix."""

    API = "api"
    FETCH = "fetch_worker"
    QUEUE = "queue"
    PROCESS = "process_worker"
    FOLLOW_UP = "workers that follow summaries"
    DATABASE = "database"


FOLLOWERS: Final = tuple(stage for stage in STAGES if stage.follows_summary)
"""The product has no such stage; a clone that follows docs/how-to has."""

KINDS: Final = tuple(kind for kind in Kind if FOLLOWERS or kind is not Kind.FOLLOW_UP)
"""The kinds that there are."""


class Name(StrEnum):
    """The kinds of faults: the rows of the failure matrix."""

    KILL = "kill"
    TERMINATE = "terminate"
    FREEZE = "freeze"
    OUTAGE = "outage"
    CRASH = "crash of one backend"
    DISCONNECT = "disconnect"
    LOCK = "locked tables"
    CROWD = "no connection free"
    BURST = "burst of callers"
    FLUSH = "flush"
    FULL = "out of memory"
    DUPLICATE = "duplicate delivery"
    REORDER = "reordering"
    POISON = "poison"
    HOSTILE = "hostile sources"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the failure matrix."""

    name: Name
    kind: Kind


@dataclass(frozen=True, slots=True)
class Fault:
    """A planned fault.

    It begins `at` seconds after the start of the storm and lasts for some seconds until it is
    healed. It strikes one replica of its kind, or all if `replica` is None. `seed` determines all
    other choices.
    """

    cell: Cell
    at: float
    lasts: float
    replica: int | None
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """First each cell alone, on a recovered system; then the storm of all together."""

    survey: Sequence[Fault]
    storm: Sequence[Fault]


REPLICAS: Final[Mapping[Kind, int]] = {
    Kind.API: 2,
    Kind.FETCH: 2,
    Kind.QUEUE: 1,
    Kind.PROCESS: 2,
    Kind.FOLLOW_UP: 2,
    Kind.DATABASE: 1,
}

LEASE: Final = 1.5
"""Seconds; short, so that leases often run out."""

LASTING: Final = {
    Name.KILL: (0.0, 1.0),
    Name.TERMINATE: (0.0, 0.5),
    Name.FREEZE: (1.2 * LEASE, 2 * LEASE),
    Name.OUTAGE: (2 * LEASE, 3 * LEASE),
    Name.CRASH: (0.0, 0.0),
    Name.DISCONNECT: (0.0, 0.0),
    Name.LOCK: (0.5, 3.0),
    Name.CROWD: (0.5, 3.0),
    Name.BURST: (0.0, 0.0),
    Name.FLUSH: (0.3, 2 * LEASE),
    Name.FULL: (0.5, 2.0),
    Name.DUPLICATE: (0.3, 2 * LEASE),
    Name.REORDER: (0.3, 2 * LEASE),
    Name.POISON: (0.0, 0.0),
    Name.HOSTILE: (0.0, 0.0),
}
"""The range of the duration of a fault in seconds."""

KILLS: Final = tuple(
    Cell(name, kind)
    for name, kind in itertools.product((Name.KILL, Name.TERMINATE, Name.FREEZE), KINDS)
)
OUTAGES: Final = tuple(Cell(Name.OUTAGE, kind) for kind in KINDS)
OTHERS: Final = (
    Cell(Name.CRASH, Kind.DATABASE),
    Cell(Name.DISCONNECT, Kind.DATABASE),
    Cell(Name.DISCONNECT, Kind.QUEUE),
    Cell(Name.LOCK, Kind.DATABASE),
    Cell(Name.CROWD, Kind.DATABASE),
    Cell(Name.BURST, Kind.API),
    Cell(Name.FLUSH, Kind.QUEUE),
    Cell(Name.FULL, Kind.QUEUE),
    Cell(Name.DUPLICATE, Kind.FETCH),
    Cell(Name.DUPLICATE, Kind.PROCESS),
    Cell(Name.REORDER, Kind.FETCH),
    Cell(Name.REORDER, Kind.PROCESS),
    Cell(Name.POISON, Kind.FETCH),
    Cell(Name.POISON, Kind.PROCESS),
    Cell(Name.HOSTILE, Kind.FETCH),
)
OTHERS_PER_KILL: Final = 0.4
OF_ALL_REPLICAS: Final = 0.2
"""The share of faults in the storm that strike all replicas of a kind at once."""


def plan(seed: int, *, kills: int, seconds: float, survey: bool = True) -> Plan:
    """Return the plan of a seed: at least `kills` kills, and a storm of `seconds` seconds.

    A kill is a process that is killed, terminated or frozen. Those of the survey count.
    """
    rng = random.Random(seed)  # noqa: S311 - the same in every run
    first = list(_survey(rng)) if survey else []
    wanted = max(0, kills - sum(map(weight, first)))
    return Plan(first, sorted(_storm(rng, wanted, seconds), key=lambda fault: fault.at))


def weight(fault: Fault) -> int:
    """Return the number of processes that a fault kills."""
    if fault.cell not in KILLS and fault.cell not in OUTAGES:
        return 0
    return REPLICAS[fault.cell.kind] if fault.replica is None else 1


def _survey(rng: random.Random) -> Iterator[Fault]:
    cells = [*KILLS, *OUTAGES, *OTHERS]
    rng.shuffle(cells)
    for cell in cells:
        yield _fault(rng, cell, at=0.0, replica=None)


def _storm(rng: random.Random, kills: int, seconds: float) -> Iterator[Fault]:
    deck, killed = _shuffled(rng, KILLS), 0
    while killed < kills:
        fault = _anywhere(rng, next(deck), seconds)
        killed += weight(fault)
        yield fault
    for cell in itertools.islice(_shuffled(rng, OTHERS), round(kills * OTHERS_PER_KILL)):
        yield _anywhere(rng, cell, seconds)


def _shuffled(rng: random.Random, cells: Sequence[Cell]) -> Iterator[Cell]:
    """Yield cells without end, all equally often."""
    while True:
        yield from rng.sample(cells, len(cells))


def _anywhere(rng: random.Random, cell: Cell, seconds: float) -> Fault:
    chosen = rng.randrange(REPLICAS[cell.kind])
    replica = None if rng.random() < OF_ALL_REPLICAS else chosen
    return _fault(rng, cell, at=round(rng.uniform(0, seconds), 3), replica=replica)


def _fault(rng: random.Random, cell: Cell, *, at: float, replica: int | None) -> Fault:
    lasts = round(rng.uniform(*LASTING[cell.name]), 3)
    return Fault(cell, at, lasts, replica, rng.getrandbits(32))
