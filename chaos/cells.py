"""The kinds of processes and faults, and which fault strikes what."""

import itertools
from collections.abc import Mapping, Sequence
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
    BLACKHOLE = "blackhole"
    DEAF = "blackhole of answers"
    MUTE = "blackhole of requests"
    LATENCY = "latency of 300 ms"
    RESETS = "1 % resets"
    LOST = "lost answers"
    SLOW = "20 kB/s"
    DISK = "full disk"
    HOUR_AHEAD = "clock an hour ahead"
    HOUR_BACK = "clock an hour back"
    DAY_AHEAD = "clock a day ahead"
    DAY_BACK = "clock a day back"
    APART = "clocks of replicas 30 s apart"
    FILES = "64 open files"
    MEMORY = "limit of memory"
    EVICTION = "eviction"
    WRONG_TYPE = "stream of the wrong type"
    PASSWORD = "new password"  # noqa: S105 - no password
    INDEX = "indexes dropped"
    GRANT = "right revoked"
    MIGRATION = "two migrations at once"
    POWER = "everything killed"
    STANDSTILL = "everything frozen"
    GROUPS_GONE = "consumer groups destroyed"
    CUTS = "all connections cut each second"
    FLUSHES = "flush each second"


WHOLE_SYSTEM: Final = frozenset({Name.POWER, Name.STANDSTILL})
"""Faults that strike everything; their cells have the kind that is the slowest to recover."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the failure matrix: what it strikes is a kind, or its link to a `server`."""

    name: Name
    kind: Kind
    server: Kind | None = None

    @property
    def target(self) -> str:
        """The target of the fault, for people."""
        if self.name in WHOLE_SYSTEM:
            return "everything"
        kind = self.kind.replace("_", " ")
        return kind if self.server is None else f"{kind} to {self.server}"


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
    **dict.fromkeys((Name.BLACKHOLE, Name.DEAF, Name.MUTE), (0.5, 5.0)),
    **dict.fromkeys((Name.LATENCY, Name.RESETS, Name.LOST, Name.SLOW), (2.0, 5.0)),
    Name.DISK: (1.0, 5.0),
    **dict.fromkeys((Name.HOUR_AHEAD, Name.HOUR_BACK), (1.5, 5.0)),
    **dict.fromkeys((Name.DAY_AHEAD, Name.DAY_BACK, Name.APART), (1.5, 5.0)),
    Name.FILES: (1.0, 5.0),
    Name.MEMORY: (2.0, 5.0),
    Name.EVICTION: (0.5, 2.0),
    Name.WRONG_TYPE: (0.5, 2.0),
    Name.PASSWORD: (0.5, 1.0),
    Name.INDEX: (0.5, 5.0),
    Name.GRANT: (0.5, 3.0),
    Name.MIGRATION: (0.0, 0.0),
    Name.POWER: (0.0, 1.0),
    Name.STANDSTILL: (1.2 * LEASE, 2 * LEASE),
    Name.GROUPS_GONE: (0.0, 0.0),
    **dict.fromkeys((Name.CUTS, Name.FLUSHES), (2.0, 5.0)),
}
"""The range of the duration of a fault in seconds."""

LENGTHS: Final[Mapping[Name, Sequence[float]]] = {
    Name.BLACKHOLE: (5.0, 30.0, 60.0),
    Name.DEAF: (8.0,),
    Name.MUTE: (8.0,),
    **dict.fromkeys((Name.LATENCY, Name.RESETS, Name.LOST, Name.SLOW), (10.0,)),
    **dict.fromkeys((Name.OUTAGE, Name.FULL, Name.DISK, Name.WRONG_TYPE, Name.GRANT), (8.0,)),
    **dict.fromkeys((Name.HOUR_AHEAD, Name.HOUR_BACK, Name.DAY_AHEAD, Name.DAY_BACK), (8.0,)),
    Name.APART: (8.0,),
    Name.LOCK: (30.0,),
    Name.CROWD: (8.0,),
    Name.PASSWORD: (6.0,),
    **dict.fromkeys((Name.CUTS, Name.FLUSHES), (20.0,)),
}
"""The seconds that a fault lasts when it is injected alone for the matrix."""

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
LINKS: Final = (
    (Kind.API, Kind.DATABASE),
    (Kind.API, Kind.QUEUE),
    (Kind.FETCH, Kind.QUEUE),
    (Kind.PROCESS, Kind.DATABASE),
    (Kind.PROCESS, Kind.QUEUE),
)
"""The connections that there are: of each kind to each server that it uses."""
OF_LINKS: Final = (
    Name.BLACKHOLE,
    Name.DEAF,
    Name.MUTE,
    Name.LATENCY,
    Name.RESETS,
    Name.LOST,
    Name.SLOW,
)
OF_CLOCKS: Final = (Name.HOUR_AHEAD, Name.HOUR_BACK, Name.DAY_AHEAD, Name.DAY_BACK)
REPLICATED: Final = (Kind.API, Kind.FETCH, Kind.PROCESS)
NETWORK: Final = tuple(Cell(name, kind, server) for name in OF_LINKS for kind, server in LINKS)
CLOCKS: Final = (
    *(Cell(name, kind) for name in OF_CLOCKS for kind in (*REPLICATED, Kind.QUEUE, Kind.DATABASE)),
    *(Cell(Name.APART, kind) for kind in REPLICATED),
)
LIMITS: Final = (
    Cell(Name.DISK, Kind.DATABASE),
    Cell(Name.DISK, Kind.QUEUE),
    *(Cell(name, kind) for name in (Name.FILES, Name.MEMORY) for kind in REPLICATED),
    Cell(Name.EVICTION, Kind.QUEUE),
    Cell(Name.WRONG_TYPE, Kind.QUEUE),
    Cell(Name.PASSWORD, Kind.DATABASE),
    Cell(Name.PASSWORD, Kind.QUEUE),
    Cell(Name.INDEX, Kind.DATABASE),
    Cell(Name.GRANT, Kind.DATABASE),
    Cell(Name.MIGRATION, Kind.DATABASE),
)
WHOLE: Final = (
    *(Cell(name, Kind.DATABASE) for name in (Name.POWER, Name.STANDSTILL)),
    Cell(Name.GROUPS_GONE, Kind.QUEUE),
    Cell(Name.CUTS, Kind.DATABASE),
    Cell(Name.CUTS, Kind.QUEUE),
    Cell(Name.FLUSHES, Kind.QUEUE),
)
SURROUNDINGS: Final = (*NETWORK, *CLOCKS, *LIMITS, *WHOLE)
"""The cells that concern the network, clocks, limits and disks, operators, and everything."""
GROUPS: Final[Mapping[str, Sequence[Cell]]] = {
    "processes": (*KILLS, *OUTAGES, *OTHERS),
    "network": NETWORK,
    "clocks": CLOCKS,
    "limits": LIMITS,
    "whole": WHOLE,
}
EVERYTHING: Final = tuple(itertools.chain.from_iterable(GROUPS.values()))

_USERS: Final[Mapping[Kind, frozenset[Kind]]] = {
    Kind.DATABASE: frozenset({Kind.API, Kind.PROCESS}),
    Kind.QUEUE: frozenset({Kind.API, Kind.FETCH, Kind.PROCESS}),
}
_DISABLING: Final = frozenset(
    {Name.OUTAGE, Name.LOCK, Name.CROWD, Name.FULL, Name.DISK, Name.PASSWORD, Name.GRANT}
)


def unready(cell: Cell) -> frozenset[Kind]:
    """Return the kinds of processes that cannot work while a fault lasts, and should say so."""
    if cell.name in {Name.BLACKHOLE, Name.DEAF, Name.MUTE}:
        return frozenset({cell.kind})
    if cell.name is Name.WRONG_TYPE:
        return frozenset({Kind.API, Kind.FETCH})
    return _USERS.get(cell.kind, frozenset()) if cell.name in _DISABLING else frozenset()
