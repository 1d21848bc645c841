"""The yardstick of large feeds: the script that one would write by hand, with numpy.

Run as `python numpy.pex -m bench.arrays.script`. It says that it is ready, reads a format and an
address from its input, downloads the feed, and writes the summary of its points as JSON to standard
error, and then the points as CSV for COPY.
"""

import csv
import io
import json
import sys
import urllib.request
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from bench.arrays.summary import Array, bounds, centroid, most_northerly

READY: Final = "ready\n"
COLUMNS: Final = ("lat", "lon", "name")

type Table = tuple[Array, Array, Sequence[str]]


def read(form: str, body: bytes) -> Table:
    """Return latitudes, longitudes and names."""
    return _of_geojson(body) if form == "geojson" else _of_csv(body)


def _of_geojson(body: bytes) -> Table:
    features = json.loads(body)["features"]
    positions = [it["geometry"]["coordinates"] for it in features]
    lons, lats = (_array(position[axis] for position in positions) for axis in (0, 1))
    return lats, lons, [it["properties"]["name"] for it in features]


def _of_csv(body: bytes) -> Table:
    head, *rows = csv.reader(io.StringIO(body.decode()))
    lat, lon, name = map(head.index, COLUMNS)
    lats, lons = (_array(float(row[column]) for row in rows) for column in (lat, lon))
    return lats, lons, [row[name] for row in rows]


def _array(numbers: Iterable[float]) -> Array:
    return np.fromiter(numbers, np.float64)


def main() -> None:
    """Do it once."""
    sys.stdout.write(READY)
    sys.stdout.flush()
    form, address = sys.stdin.readline().split()
    with urllib.request.urlopen(address) as answer:  # noqa: S310 - the feed of the benchmark
        lats, lons, names = read(form, answer.read())
    found = {
        "count": len(lats),
        "centroid": centroid(np.radians(lats), np.radians(lons)),
        "most_northerly": most_northerly(lats, lons, names.__getitem__),
        "bbox": bounds(lats, lons),
    }
    sys.stderr.write(json.dumps(found) + "\n")
    sys.stderr.flush()
    rows = zip(lats.tolist(), lons.tolist(), names, strict=True)
    csv.writer(sys.stdout, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main()
