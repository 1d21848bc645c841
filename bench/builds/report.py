"""The report of the builds."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.builds.comparison import Round, Rounds
from bench.machine import Machine
from bench.tables import Table, spread


@dataclass(frozen=True, slots=True)
class Built:
    """All builds, with machine and tools; `rounds` by case and way."""

    machine: Machine
    versions: Mapping[str, str]
    rounds: Rounds


def table(built: Built) -> Table:
    """Return a row for each case with a cell for each way.

    A cell has the median of the seconds, with the lowest and the highest, the number of changed
    images, and the bytes that a push would send.
    """
    ways = list(next(iter(built.rounds.values())))
    rows = [[case, *(_cell(rounds[way]) for way in ways)] for case, rounds in built.rounds.items()]
    return Table("builds", ways, rows)


def _cell(rounds: Sequence[Round]) -> str:
    images = "/".join(sorted({str(len(it.images)) for it in rounds}))
    sent = _size(statistics.median(it.bytes for it in rounds))
    return f"{spread([it.seconds for it in rounds])} s; {images} changed; {sent}"


def _size(size: float) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
