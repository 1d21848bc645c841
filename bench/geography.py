"""The summary of many points, beside the same arithmetic in numpy."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import asin, degrees, isclose
from pathlib import Path
from typing import Final

import msgspec

from bench import rounds
from bench.errors import GeographyError
from bench.results import ARRAYS, CONVERTED, OURS
from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.geo.summary import summarise

POINTS: Final = 100_000
SEED: Final = 1
PROGRAM: Final = Path(__file__).parent / "arrays" / "numpy.pex"
NAMES: Final = {CONVERTED: "points", ARRAYS: "arrays"}
"""The names of the yardsticks in `bench.arrays.summary`."""

WITHIN: Final = 1e-9
"""Tolerance in degrees: sums of 100,000 sines are rounded in another order."""


class _Found(msgspec.Struct):
    """A summary as numbers, each point as its latitude, longitude and name."""

    count: int
    centroid: tuple[float, float]
    most_northerly: tuple[float, float, str | None]
    bbox: tuple[float, float, float, float]


class _Answer(msgspec.Struct):
    seconds: float
    summary: _Found


Summarise = Callable[[], _Answer]


async def compare(root: Path, *, count: int) -> dict[str, list[float]]:
    """Measure geo and both yardsticks `count` times, in milliseconds of processor time.

    Raises GeographyError when their results differ.
    """
    points = _points()
    with _numpy(root, points) as yardsticks:
        sides: dict[str, Summarise] = {OURS: lambda: _ours(points), **yardsticks}
        found = [side().summary for side in sides.values()]
        if not all(_alike(found[0], other) for other in found[1:]):
            raise GeographyError(f"the summary of the yardstick differs from geo's: {found}")

        async def measure(side: Summarise) -> float:
            return side().seconds * 1e3

        return await rounds.alternate(sides, count, measure)


def _points() -> Batch:
    """Return points that are spread evenly over the Earth."""
    rng = random.Random(SEED)  # noqa: S311 - the same in every run
    return Batch.of(
        Point(degrees(asin(rng.uniform(-1, 1))), rng.uniform(-180, 180), f"place {number}")
        for number in range(POINTS)
    )


def _ours(points: Batch) -> _Answer:
    begin = time.process_time()
    it = summarise(points)
    seconds = time.process_time() - begin
    assert it.centroid is not None
    centroid, north, box = it.centroid, it.most_northerly, it.bbox
    found = _Found(
        it.count,
        (centroid.lat, centroid.lon),
        (north.lat, north.lon, north.name),
        (box.west, box.south, box.east, box.north),
    )
    return _Answer(seconds, found)


@contextmanager
def _numpy(root: Path, points: Batch) -> Iterator[dict[str, Summarise]]:
    """Start the program with numpy and send it the points."""
    with subprocess.Popen(
        [sys.executable, PROGRAM, "-m", "bench.arrays.summary"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PEX_ROOT": str(root / "pex")},
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        writing, reading = child.stdin, child.stdout

        def ask(line: bytes) -> bytes:
            writing.write(line + b"\n")
            writing.flush()
            return reading.readline()

        def yardstick(name: str) -> Summarise:
            return lambda: msgspec.json.decode(ask(name.encode()), type=_Answer)

        writing.write(msgspec.json.encode([(it.lat, it.lon, it.name) for it in points]) + b"\n")
        yield {side: yardstick(name) for side, name in NAMES.items()}


def _alike(one: _Found, other: _Found) -> bool:
    return (one.count, one.most_northerly, one.bbox) == (
        other.count,
        other.most_northerly,
        other.bbox,
    ) and all(
        isclose(a, b, abs_tol=WITHIN) for a, b in zip(one.centroid, other.centroid, strict=True)
    )
