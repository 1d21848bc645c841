"""Tables of figures, for the console and as Markdown."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A title above the first column, titles of the others, and rows of as many cells."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def console(table: Table) -> str:
    """Return a table as text with aligned columns."""
    lines = [[table.title, *table.head], *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join([f"{name:<{widths[0]}}", *map(str.rjust, cells, widths[1:])]).rstrip() + "\n"
        for name, *cells in lines
    )


def markdown(table: Table) -> str:
    """Return a table as Markdown."""
    rule = ("---", *("--:" for _ in table.head))
    lines = ((table.title, *table.head), rule, *table.rows)
    return "".join(f"| {' | '.join(cell.strip() for cell in cells)} |\n" for cells in lines)


def spread(values: Sequence[float]) -> str:
    """Return the median, with the lowest and the highest if there are several."""
    if len(values) == 1:
        return significant(values[0])
    median, least, greatest = statistics.median(values), min(values), max(values)
    return f"{significant(median)} ({significant(least)}-{significant(greatest)})"


def significant(value: float) -> str:
    """Return a number with its significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def megabytes(size: int | None) -> str:
    """Return a number of bytes, if there is one."""
    return "" if size is None else f"{size / 1e6:.1f}"
