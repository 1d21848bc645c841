"""Lists of many columns that fit the terminal: columns leave, and the longest texts are cut."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from mousetrap.cli.tables import MAX_TEXT
from mousetrap.sources.text import tidy

SECONDS: Final = "seconds"
"""Stands for the seconds of all times where the names of leaving columns are listed."""
_GAP: Final = 2
_TIME: Final = len("2026-11-25 12:00:00Z")
_SECONDS: Final = re.compile(r"(?<=^\d{4}-\d\d-\d\d \d\d:\d\d):\d\d(?=Z$)")


@dataclass(frozen=True, slots=True)
class Column:
    """A column, at least `least` wide, so that the pages of a list are aligned.

    It is as wide as its longest text, but if it may be `cut`, only where there is room.
    """

    name: str
    least: int = 0
    cut: bool = False
    time: bool = False

    @classmethod
    def of_times(cls, name: str) -> Self:
        """Return a column of times to the second."""
        return cls(name, _TIME, time=True)


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a list, and the order in which they leave it where there is no room."""

    columns: tuple[Column, ...]
    leaving: tuple[str, ...] = ()


class Listing:
    """Rows of texts, each on a line; only the first page of a list has a `header`."""

    def __init__(
        self, layout: Layout, rows: Iterable[Sequence[str]], *, header: bool = True
    ) -> None:
        self.rows = [tuple(tidy(text, MAX_TEXT) for text in row) for row in rows]
        self._layout = layout
        self._header = header

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table that fits the console."""
        yield self._table(options.max_width)

    def _table(self, width: int) -> Table:
        shown = self._shown(width)
        table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, show_header=self._header)
        for it, each in zip(shown, _widths(shown, width), strict=True):
            table.add_column(it.column.name, width=each, no_wrap=True)
        for row in zip(*(it.texts for it in shown), strict=True):
            table.add_row(*(Text(text, no_wrap=True, overflow="ellipsis") for text in row))
        return table

    def _shown(self, width: int) -> list["_Filled"]:
        """Return the columns that fit into `width`."""
        columns = self._layout.columns
        shown = [
            _Filled(column, tuple(row[index] for row in self.rows))
            for index, column in enumerate(columns)
        ]
        for name in self._layout.leaving:
            if _total(it.least for it in shown) <= width:
                break
            if name == SECONDS:
                shown = [it.to_the_minute() if it.column.time else it for it in shown]
            else:
                shown = [it for it in shown if it.column.name != name]
        return shown


@dataclass(frozen=True, slots=True)
class _Filled:
    """A column with its texts."""

    column: Column
    texts: tuple[str, ...]

    @property
    def least(self) -> int:
        return max(self.column.least, len(self.column.name)) if self.column.cut else self.whole

    @property
    def whole(self) -> int:
        """Return the width without any cut."""
        texts = (cell_len(text) for text in self.texts)
        return max(self.column.least, len(self.column.name), *texts)

    def to_the_minute(self) -> "_Filled":
        column = replace(self.column, least=self.column.least - len(":00"))
        return _Filled(column, tuple(_SECONDS.sub("", text) for text in self.texts))


def _widths(shown: Sequence[_Filled], width: int) -> list[int]:
    """Return the width of each column; the last ones are cut first."""
    widths = [it.whole for it in shown]
    for index, it in reversed(list(enumerate(shown))):
        excess = max(0, _total(widths) - width)
        widths[index] -= min(excess, it.whole - it.least)
    return widths


def _total(widths: Iterable[int]) -> int:
    counted = list(widths)
    return sum(counted) + _GAP * (len(counted) - 1)
