"""The yardstick of geo: the same summary by the same rules and the same arithmetic, in numpy.

Run as `python numpy.pex -m bench.arrays.summary`. The first line of input has the points as JSON.
For each further line, POINTS or ARRAYS, it computes a summary and answers with a line of JSON: the
seconds of processor time, and the summary. POINTS starts from the points as objects, ARRAYS from
their coordinates in arrays.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

POINTS: Final = "points"
ARRAYS: Final = "arrays"

TIE: Final = 1e-9

type Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Point:
    """A point as in geo, without its checks."""

    lat: float
    lon: float
    name: str | None = None


def coordinates(points: Sequence[Point]) -> tuple[Array, Array]:
    """Return latitudes and longitudes."""
    lats, lons = (
        np.fromiter(map(attrgetter(name), points), np.float64, len(points))
        for name in ("lat", "lon")
    )
    return lats, lons


def summarise(points: Sequence[Point], lats: Array, lons: Array) -> dict[str, Any]:
    """Return the same as geo's `summarise`; the coordinates are those of the points."""
    return {
        "count": len(points),
        "centroid": centroid(np.radians(lats), np.radians(lons)),
        "most_northerly": most_northerly(lats, lons, lambda index: points[index].name),
        "bbox": bounds(lats, lons),
    }


def centroid(lats: Array, lons: Array) -> tuple[float, float] | None:
    """Return the centroid of positions in radians, in degrees."""
    flat = np.cos(lats)
    x, y, z = ((flat * np.cos(lons)).mean(), (flat * np.sin(lons)).mean(), np.sin(lats).mean())
    off_axis = np.hypot(x, y)
    if np.hypot(off_axis, z) < 1e-9:
        return None
    lon = np.degrees(np.arctan2(y, x)) if off_axis > 1e-14 else 0.0
    return float(np.degrees(np.arctan2(z, off_axis))), _meridian(float(lon))


def most_northerly(
    lats: Array, lons: Array, name_of: Callable[[int], str | None]
) -> tuple[float, float, str | None]:
    """Return the latitude, longitude and name of the northernmost point."""
    found = [
        (float(lats[index]), float(lons[index]), name_of(index))
        for index in np.flatnonzero(lats == lats.max()).tolist()
    ]
    return min(found, key=lambda it: (_meridian(it[1]), it[2] is None, it[2] or "", it[1]))


def bounds(lats: Array, lons: Array) -> tuple[float, float, float, float]:
    """Return the box of positions in degrees."""
    south, north = float(lats.min()), float(lats.max())
    if south == -90 or north == 90:
        return -180.0, south, 180.0, north
    meridians = np.sort(lons)
    if meridians[-1] == 180:
        meridians = np.sort(np.where(lons == 180, -180, lons))
    across = meridians[0] + 360 - meridians[-1]
    gaps = np.concatenate(([across], np.diff(meridians)))
    index = int(np.argmax(gaps >= gaps.max() - TIE))
    west, east = float(meridians[index]), float(meridians[index - 1])
    return west, south, 180.0 if east == -180 != west else east, north


def _meridian(lon: float) -> float:
    return -180.0 if lon == 180 else lon


def main() -> None:
    """Answer until the input ends."""
    points = [Point(*it) for it in json.loads(sys.stdin.readline())]
    lats, lons = coordinates(points)
    for line in sys.stdin:
        begin = time.process_time()
        if line.strip() == POINTS:
            found = summarise(points, *coordinates(points))
        else:
            found = summarise(points, lats, lons)
        seconds = time.process_time() - begin
        sys.stdout.write(json.dumps({"seconds": seconds, "summary": found}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
