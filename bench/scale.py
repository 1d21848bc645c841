"""The cost of large tables: the same requests on small and on large tables."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench import load, pipeline
from bench.database import connected
from bench.load import HOST
from bench.pipeline import Work
from bench.system import Side, System
from mousetrap.api.http import paging
from mousetrap.store.database import Database

FEW: Final = 20_000
SPAN: Final = 80_000.0
"""Seconds before now over which the many rows are spread; the few lie before them."""
CHUNK: Final = 250_000
PATIENCE: Final = 600.0
"""The deadline in seconds of a chunk, and of statements that read all rows."""

REQUESTS: Final = 200
DELETIONS: Final = 10
DELETED: Final = 100  # as the housekeeper does

# One in a thousand is of another source. Ids begin with the time, as the API's do.
GROW: Final = """
WITH made AS (
    INSERT INTO job (id, source, state, requested_at, fetched_at, finished_at)
    SELECT uuidv7(instant - now()),
        CASE WHEN number % 1000 = 0 THEN '1-point' ELSE '100-points' END,
        'succeeded', instant, instant, instant
    FROM generate_series($1::bigint, $2::bigint) AS number,
        LATERAL (
            SELECT now() - ($5::float8 + ($3 - number) * $4::float8) * interval '1s' AS instant
        ) AS made
    RETURNING *
)
INSERT INTO summary (job_id, sequence, source, requested_at, document)
SELECT id, sequence, source, requested_at, format(
    '{"version":1,"job_id":"%s","source":"%s","requested_at":%s,"fetched_at":%s,"processed_at":%s,'
    '"count":100,"centroid":[%s,%s],"most_northerly":{"lat":80,"lon":%s,"name":"Ny-Ålesund"},'
    '"bbox":[-170,-60,170,80]}',
    id, source, to_json(requested_at), to_json(fetched_at), to_json(finished_at),
    random() * 90, random() * 180, random() * 180)::json
FROM made
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """A duration in milliseconds."""

    name: str
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Scale:
    """The same figures with few and with many jobs; bytes and seconds are for the many."""

    few: int
    many: int
    bytes: int
    seconds: float
    before: Sequence[Figure]
    after: Sequence[Figure]


async def perform(system: System, rows: int, say: Callable[[int], None]) -> Scale:
    """Measure with FEW jobs and summaries, then with `rows`; report progress on the way.

    Raises LoadError, StackError and StoreError.
    """
    side = await system.mousetrap()
    async with connected(side.dsn, PATIENCE) as connection:
        await _grow(connection, 0, FEW, SPAN, say)
        before = await _measure(side, connection)
        start = time.monotonic()
        await _grow(connection, FEW, rows, 0.0, say)
        seconds = time.monotonic() - start
        after = await _measure(side, connection)
        size = await connection.fetchval("SELECT pg_database_size(current_database())")
    return Scale(FEW, rows, int(size), round(seconds, 1), before, after)


async def _grow(
    connection: Any, first: int, last: int, age: float, say: Callable[[int], None]
) -> None:
    """Add rows of the SPAN that ends `age` seconds ago, without triggers."""
    await connection.execute("ALTER TABLE summary ENABLE ALWAYS TRIGGER summary_columns")
    await connection.execute("SET session_replication_role = replica")
    for begin in range(first, last, CHUNK):
        end = min(begin + CHUNK, last)
        await connection.execute(GROW, begin + 1, end, last, SPAN / (last - first), age)
        say(end)
    await connection.execute("SET session_replication_role = origin")
    await connection.execute("VACUUM ANALYZE")


async def _measure(side: Side, connection: Any) -> list[Figure]:
    await pipeline.perform(side, Work("100-points", jobs=1, singles=1))  # the API is notified
    middle = await connection.fetchrow(
        "SELECT * FROM summary WHERE sequence >= (SELECT max(sequence) / 2 FROM summary)"
        " ORDER BY sequence LIMIT 1"
    )
    cursor = paging.encode("summaries", middle["sequence"])
    since = f"{middle['requested_at']:%Y-%m-%dT%H:%M:%SZ}"
    paths = {
        "GET /": "/",
        "summaries, first page": "/summaries?limit=50",
        "summaries, page in the middle": f"/summaries?limit=50&cursor={cursor}",
        "summaries, rare source": "/summaries?limit=50&source=1-point",
        "summaries, since the middle": f"/summaries?limit=50&since={since}",
        "summaries, until the middle": f"/summaries?limit=50&until={since}",
        "a summary": f"/summaries/{middle['job_id']}",
        "jobs, first page": "/jobs?limit=50",
        "jobs that failed: none": "/jobs?limit=50&state=failed",
    }
    figures = [await _get(name, side.port, path) for name, path in paths.items()]
    figures.append(await _timed("POST /refresh", side.port, Work("1-point", 1, 0).request, 202))
    figures.append(await _deletions(side.dsn))
    return figures


async def _get(name: str, port: int, path: str) -> Figure:
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    return await _timed(name, port, request, 200)


async def _timed(name: str, port: int, request: bytes, status: int) -> Figure:
    done = await load.drive(port, request, status=status, connections=1, go_on=load.times(REQUESTS))
    p50, p99 = done.percentiles(50, 99)
    return Figure(name, p50 * 1e3, p99 * 1e3)


async def _deletions(dsn: str) -> Figure:
    seconds = []
    async with Database(dsn, deadline=PATIENCE, name="bench") as database:
        for _ in range(DELETIONS):
            start = time.perf_counter()
            await database.retention.delete(older_than=SPAN / 4, limit=DELETED)
            seconds.append(time.perf_counter() - start)
    return Figure(
        f"{DELETED} old jobs deleted", statistics.median(seconds) * 1e3, max(seconds) * 1e3
    )
