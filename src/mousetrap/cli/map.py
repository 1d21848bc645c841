"""A map of points in the terminal, in characters of Braille."""

from collections.abc import Sequence
from math import cos, radians
from typing import Final

from mousetrap.geo.batch import Batch
from mousetrap.geo.bounds import BoundingBox, bounds_of

WIDTH: Final = 60
MAX_HEIGHT: Final = 20
MIN_HEIGHT: Final = 5
DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of the dots of a character, four rows of two (Unicode block Braille Patterns)."""
BLANK: Final = 0x2800
LEAST: Final = 0.01
"""Degrees that a map spans at least."""
ALL: Final = 360.0
MOST: Final = 300.0
"""Degrees of longitude above which the map shows all of them."""


def draw(batch: Batch) -> list[str]:
    """Return a map of at least one point as lines, north at the top, the box of the points whole.

    Meridians and parallels are straight lines; a degree is as wide as it is at the middle latitude.
    """
    west, south, east, north = _frame(bounds_of(batch))
    width, height = east - west, north - south
    shape = height / (width * max(cos(radians((north + south) / 2)), LEAST))
    # A character is about twice as high as it is wide.
    rows = max(MIN_HEIGHT, min(MAX_HEIGHT, round(WIDTH * shape / 2)))
    cells = [[BLANK] * WIDTH for _ in range(rows)]
    for lat, lon in zip(batch.latitudes, batch.longitudes, strict=True):
        across = (lon - west) % ALL if width < ALL else lon - west
        x = min(int(across / width * 2 * WIDTH), 2 * WIDTH - 1)
        y = min(int((north - lat) / height * 4 * rows), 4 * rows - 1)
        cells[y // 4][x // 2] |= DOTS[y % 4][x % 2]
    return _framed(["".join(map(chr, row)) for row in cells], (west, south, east, north))


def _frame(box: BoundingBox) -> tuple[float, float, float, float]:
    west, south, east, north = box
    width = (east - west) % ALL or (ALL if east != west else 0.0)
    side, top = max(LEAST - width, width / 100) / 2, max(LEAST, (north - south) * 1.02)
    middle = (north + south) / 2
    south, north = max(middle - top / 2, -90.0), min(middle + top / 2, 90.0)
    if width > MOST:
        return -ALL / 2, south, ALL / 2, north
    return west - side, south, west + width + side, north


def _framed(lines: Sequence[str], frame: tuple[float, float, float, float]) -> list[str]:
    west, south, east, north = frame
    top = f"{_degrees(north, 'N', 'S')} "
    left, right = _degrees(_meridian(west), "E", "W"), _degrees(_meridian(east), "E", "W")
    bottom = f"{left} · {_degrees(south, 'N', 'S')} "
    return [
        f"┌{top:─<{WIDTH}}┐",
        *(f"│{line}│" for line in lines),
        f"└{bottom}{f' {right}':─>{WIDTH - len(bottom)}}┘",
    ]


def _meridian(lon: float) -> float:
    return lon if abs(lon) <= ALL / 2 else (lon + ALL / 2) % ALL - ALL / 2


def _degrees(value: float, positive: str, negative: str) -> str:
    return f"{abs(value):.2f}° {negative if value < 0 else positive}"
