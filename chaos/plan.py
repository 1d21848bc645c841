"""The plan of faults and their times, which follow from a seed."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chaos.cells import (
    EVERYTHING,
    KILLS,
    LASTING,
    LEASE,
    LENGTHS,
    OTHERS,
    OUTAGES,
    REPLICAS,
    SURROUNDINGS,
    Cell,
    Name,
)

OTHERS_PER_KILL: Final = 0.4
OF_ALL_REPLICAS: Final = 0.2
"""The share of faults in the storm that strike all replicas of a kind at once."""


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
    """First each fault of processes and servers alone, then, when it has recovered, the storm."""

    survey: Sequence[Fault]
    storm: Sequence[Fault]


def plan(seed: int, *, kills: int, seconds: float, survey: bool = True) -> Plan:
    """Return the plan of a seed: at least `kills` kills, and a storm of `seconds` seconds.

    A kill is a process that is killed, terminated or frozen. Those of the survey count.
    """
    rng = random.Random(seed)  # noqa: S311 - the same in every run
    first = list(_survey(rng)) if survey else []
    wanted = max(0, kills - sum(map(weight, first)))
    return Plan(first, sorted(_storm(rng, wanted, seconds), key=lambda fault: fault.at))


def matrix(seed: int, cells: Sequence[Cell] = EVERYTHING) -> Plan:
    """Return the plan that injects the fault of each cell alone, some of them for longer, too."""
    rng = random.Random(seed)  # noqa: S311 - the same in every run
    faults = [
        Fault(cell, 0.0, lasts, None, rng.getrandbits(32))
        for cell in cells
        for lasts in _lengths(cell)
    ]
    return Plan(faults, [])


def _lengths(cell: Cell) -> Sequence[float]:
    if cell.name is Name.FREEZE:
        return (2 * LEASE,)
    return LENGTHS.get(cell.name, (LASTING[cell.name][1],))


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
    killing, killed = _shuffled(rng, KILLS), 0
    while killed < kills:
        fault = _anywhere(rng, next(killing), seconds)
        killed += weight(fault)
        yield fault
    others = round(kills * OTHERS_PER_KILL)
    for deck in (_shuffled(rng, OTHERS), _shuffled(rng, SURROUNDINGS)):
        for cell in itertools.islice(deck, others):
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
