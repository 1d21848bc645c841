"""The yardstick of large feeds: the script that one would write by hand, with numpy.

Run as `python numpy.pex -m bench.arrays.script`. It says that it is ready, reads a format and an
address from its input, downloads the feed, writes its points as CSV for COPY, and then their
summary as JSON to standard error.
"""

import csv
import io
import json
import sys
import urllib.request
from collections.abc import Sequence
from typing import Final

import numpy as np

from bench.arrays.summary import Array, bounds, centroid

READY: Final = "ready\n"
COLUMNS: Final = ("lat", "lon", "name")

type Table = tuple[Array, Array, Sequence[str]]


def read(form: str, body: bytes) -> Table:
    """Return latitudes, longitudes and names."""
    return _of_geojson(body) if form == "geojson" else _of_csv(body)


def _of_geojson(body: bytes) -> Table:
    features = json.loads(body)["features"]
    positions = np.array([it["geometry"]["coordinates"] for it in features])
    return positions[:, 1], positions[:, 0], [it["properties"]["name"] for it in features]


def _of_csv(body: bytes) -> Table:
    head, *rows = csv.reader(io.StringIO(body.decode()))
    lat, lon, name = map(head.index, COLUMNS)
    positions = np.array([(row[lat], row[lon]) for row in rows], np.float64)
    return positions[:, 0], positions[:, 1], [row[name] for row in rows]


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
        "bbox": bounds(lats, lons),
    }
    rows = zip(lats.tolist(), lons.tolist(), names, strict=True)
    csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
    sys.stdout.flush()
    json.dump(found, sys.stderr)


if __name__ == "__main__":
    main()
