"""A batch as CSV (RFC 4180)."""

import csv
import io
from typing import Any, ClassVar

from mousetrap.store.formats import Columns


class Table:
    """A line of names, then a line for each point; a missing text or number is an empty field.

    Texts are those of the source, even one that begins with "=": a character before it would be
    wrong for every reader that is not a spreadsheet.
    """

    between: ClassVar[bytes] = b""
    end: ClassVar[bytes] = b""

    def begin(self, bbox: str, first: Columns) -> bytes:  # noqa: ARG002 - as in Format
        """Return the line of names, those of the columns that there are."""
        return _lines([["lat", "lon", "name", *(name for name, _ in _further(first))]])

    def points(self, part: Columns) -> bytes:
        """Return points as lines."""
        further = (column for _, column in _further(part))
        columns = (part.latitudes, part.longitudes, part.names, *further)
        return _lines(zip(*columns, strict=True))


def _further(part: Columns) -> list[tuple[str, list[Any]]]:
    columns = (("id", part.ids), ("group", part.groups), ("value", part.values))
    return [(name, column) for name, column in columns if column is not None]


def _lines(rows: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
