"""What people read of the builds: a table in Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.builds.comparison import Round, Rounds
from bench.report import Machine
from bench.rounds import Spread


@dataclass(frozen=True, slots=True)
class Built:
    """Every build, where it was done and by what; `rounds` by case and way."""

    machine: Machine
    versions: Mapping[str, str]
    rounds: Rounds


def table(built: Built) -> str:
    """Return a row for each case with a cell for each way.

    A cell tells the median of the seconds, with the least and the greatest, how many images
    changed, and what pushing them would send.
    """
    ways = list(next(iter(built.rounds.values())))
    rows = [["", *ways], ["---"] * (1 + len(ways))]
    for case, rounds in built.rounds.items():
        rows.append([case, *(_cell(rounds[way]) for way in ways)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "".join(f"| {line} |\n" for line in lines)


def _cell(rounds: Sequence[Round]) -> str:
    images = "/".join(sorted({str(len(it.images)) for it in rounds}))
    sent = _size(Spread.of([it.bytes for it in rounds]).median)
    return f"{_seconds([it.seconds for it in rounds])}; {images} changed; {sent}"


def _seconds(values: Sequence[float]) -> str:
    spread = Spread.of(values)
    if len(values) == 1:
        return f"{spread.median:.0f} s"
    return f"{spread.median:.1f} s ({spread.least:.1f}-{spread.greatest:.1f})"


def _size(size: float) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
