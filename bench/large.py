"""Feeds of 100,000 and 1,000,000 points through all processes, beside a script written by hand.

The script downloads the feed, parses it, computes the summary with numpy, and stores it and the
points, these with COPY, in one transaction.
"""

import asyncio
import os
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Final

import msgspec

from bench.database import connected
from bench.errors import BenchError, PipelineError
from bench.geography import PROGRAM, WITHIN
from bench.largest import LIMIT, PROCESSES
from bench.pipeline import Ends
from bench.tables import Table, megabytes, significant
from mousetrap.stack import folder, servers
from mousetrap.store.notices import JOBS
from mousetrap.store.schema.migrations import migrate
from support.confined import confined
from support.largest import System, system
from support.origin import answer

ROUNDS: Final = 3
SIZES: Final = (100_000, 1_000_000)
FORMATS: Final = ("geojson", "csv")
MOST: Final = 2.0
"""How many times as long as the script a feed may take, from the request to the stored summary."""

SEED: Final = 1
PATIENCE: Final = 600.0
TABLES: Final = """
DROP TABLE IF EXISTS script, script_summary;
CREATE TABLE script (lat float8, lon float8, name text);
CREATE TABLE script_summary (document text);
"""
KEYS: Final = """\
kind = "{}"
max_points = 1_000_000
max_bytes = 268_435_456
deadline = 600
min_interval = 0
"""
FEATURE: Final = (
    '{"type":"Feature","geometry":{"type":"Point","coordinates":[%.5f,%.5f]},'
    '"properties":{"name":"station %d"}}'
)


@dataclass(frozen=True, slots=True)
class Large:
    """One feed: the seconds of each round, and the peak of each process in bytes.

    `seconds` are those from the request to the stored summary, `script` those of the script, and
    `streamed` those of reading the points from the API.
    """

    form: str
    points: int
    body: int
    seconds: Sequence[float]
    script: Sequence[float]
    streamed: Sequence[float]
    peaks: Mapping[str, int]

    @property
    def ratio(self) -> float:
        """How many times as long as the script it takes."""
        return statistics.median(self.seconds) / statistics.median(self.script)

    def __str__(self) -> str:
        return f"{self.form} of {self.points:,} points: {self.ratio:.2f} times the script"


class _Place(msgspec.Struct):
    lat: float
    lon: float
    name: str


class _Found(msgspec.Struct):
    """A summary of the API."""

    count: int
    centroid: tuple[float, float]
    most_northerly: _Place
    bbox: tuple[float, float, float, float]


class _Computed(msgspec.Struct):
    """A summary of the script."""

    count: int
    centroid: tuple[float, float]
    most_northerly: tuple[float, float, str]
    bbox: tuple[float, float, float, float]


def measure(root: Path, count: int, told: Callable[[Large], None]) -> Sequence[Large]:
    """Let each feed pass `count` times; each kind of feed has new processes."""
    with folder.hold(root / "data") as held, servers.run(held) as real:
        return asyncio.run(_measure(root, real, count, told))


async def _measure(
    root: Path, real: servers.Servers, count: int, told: Callable[[Large], None]
) -> Sequence[Large]:
    await migrate(real.postgres_dsn)
    found = []
    for size in SIZES:
        for form in FORMATS:
            body = _body(form, size)
            with ExitStack() as stack:
                limits = [stack.enter_context(confined(LIMIT)) for _ in PROCESSES]
                async with system(
                    root,
                    limits,
                    postgres_dsn=real.postgres_dsn,
                    redis_url=real.redis_url,
                    keys=KEYS.format(form),
                ) as running:
                    running.origin.answers(answer(body))
                    found.append(await _rounds(running, root, real, form, body, size, count))
            told(found[-1])
    return found


async def _rounds(  # noqa: PLR0913, PLR0917 - each is a plain fact about the feed
    running: System,
    root: Path,
    real: servers.Servers,
    form: str,
    body: bytes,
    size: int,
    count: int,
) -> Large:
    seconds: list[float] = []
    script: list[float] = []
    streamed: list[float] = []
    ends = Ends(PATIENCE)
    async with connected(real.postgres_dsn, PATIENCE) as connection:
        # Asking the API again and again would take processor time from what is measured.
        await connection.add_listener(JOBS, ends.hear)
        for _ in range(count):
            theirs = await _script(root, form, running.origin.url(), real.postgres_dsn, script)
            begin = time.perf_counter()
            job = await running.refresh("s0")
            try:
                seconds.append(await ends.succeeded(1) - begin)
            except PipelineError:
                status = await running.http.get(f"/jobs/{job}")
                raise BenchError(f"the feed was not stored: {status.text}") from None
            ours = (await running.http.get(f"/summaries/{job}")).content
            _compare(msgspec.json.decode(ours, type=_Found), theirs)
            begin = time.perf_counter()
            if await running.points(job) != size:
                raise BenchError("the API does not give all points")
            streamed.append(time.perf_counter() - begin)
    return Large(form, size, len(body), seconds, script, streamed, running.peaks())


async def _script(root: Path, form: str, url: str, dsn: str, seconds: list[float]) -> _Computed:
    """Run the script once; add the seconds that it takes, without its start."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        PROGRAM,
        "-m",
        "bench.arrays.script",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PEX_ROOT": str(root / "pex")},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    async with connected(dsn, PATIENCE) as connection:
        await connection.execute(TABLES)
        await process.stdout.readline()
        begin = time.perf_counter()
        process.stdin.write(f"{form} {url}\n".encode())
        async with connection.transaction():
            rows = _pieces(process.stdout)
            await connection.copy_to_table("script", source=rows, format="csv")
            said = await process.stderr.readline()
            await connection.execute("INSERT INTO script_summary VALUES ($1)", said.decode())
        seconds.append(time.perf_counter() - begin)
    said += await process.stderr.read()
    if await process.wait():
        raise BenchError(f"the script failed: {said.decode()}")
    return msgspec.json.decode(said, type=_Computed)


async def _pieces(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await stream.read(256 * 1024):
        yield piece


def _compare(ours: _Found, theirs: _Computed) -> None:
    centroids = zip(ours.centroid, theirs.centroid, strict=True)
    alike = all(isclose(a, b, abs_tol=WITHIN) for a, b in centroids)
    place = ours.most_northerly
    exact = (ours.count, (place.lat, place.lon, place.name), ours.bbox)
    if not alike or exact != (theirs.count, theirs.most_northerly, theirs.bbox):
        raise BenchError(f"the summary of the script differs from ours: {theirs}, {ours}")


def _body(form: str, size: int) -> bytes:
    """Return a feed of points that are spread over the Earth."""
    rng = random.Random(SEED)  # noqa: S311 - the same in every run
    points = ((rng.uniform(-180, 180), rng.uniform(-90, 90), it) for it in range(size))
    if form == "csv":
        rows = (f"station {it},{lat:.5f},{lon:.5f}\r\n" for lon, lat, it in points)
        return b"name,lat,lon\r\n" + "".join(rows).encode()
    features = ",\n".join(FEATURE % point for point in points)
    return f'{{"type":"FeatureCollection","features":[\n{features}\n]}}'.encode()


def table(found: Sequence[Large]) -> Table:
    """Return the times of each feed beside the script, and the peak of each process."""
    rows = [
        [
            f"{it.points:,} points, {it.form}",
            megabytes(it.body),
            significant(statistics.median(it.seconds)),
            significant(statistics.median(it.script)),
            f"{it.ratio:.2f}",
            significant(statistics.median(it.streamed)),
            *(megabytes(it.peaks[process]) for process in PROCESSES),
        ]
        for it in found
    ]
    head = ["MB", "stored, s", "script, s", "ratio", "read, s"]
    return Table("Large feeds", [*head, "fetch worker, MB", "process worker, MB", "API, MB"], rows)


def flaws(found: Sequence[Large]) -> list[str]:
    """Return the feeds that take too long, and the processes that take too much."""
    return [f"{it}, {MOST:g} are allowed" for it in found if it.ratio > MOST] + [
        f"{process} takes {size} bytes for {it.points} points, the limit is {LIMIT}"
        for it in found
        for process, size in it.peaks.items()
        if size > LIMIT
    ]
