"""A drained backlog: its speed, its memory, and whether each job ran once."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec
from redis.asyncio import Redis

from bench import load, soak, usage
from bench.database import connected
from bench.errors import PipelineError
from bench.load import HOST
from bench.system import Side, System
from mousetrap.jobs.identity import new_id
from mousetrap.jobs.state import State
from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.publisher import Publisher
from mousetrap.store.notices import JOBS

SOURCE: Final = "1-point"
CHUNK: Final = 10_000
SENT_TOGETHER: Final = 1_000
NUMBERS: Final = range(1, soak.SAMPLES + 1)
REQUESTS: Final = 5
PATIENCE: Final = 120.0
"""Seconds within which some job must end, and the deadline of statements that read all rows."""

# As the API accepts them, but without triggers.
_ACCEPT: Final = """
INSERT INTO job (id, source, due_at)
SELECT id, $1, now() + interval '10 seconds'
FROM unnest($2::uuid[]) WITH ORDINALITY AS wanted (id, ordinal) ORDER BY ordinal
RETURNING id, requested_at
"""

_FOUND: Final = """
SELECT count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
    sum(attempts)::bigint AS attempts,
    (SELECT count(*) FROM summary) AS summaries,
    (SELECT count(*) FROM batch_part WHERE number = 0) AS batches,
    (SELECT count(*) FROM attempt) AS failed,
    (SELECT count(*) FROM dead_letter) AS dead
FROM job
"""

_HELD: Final = """
SELECT (
    SELECT sum(pg_total_relation_size(name))::bigint
    FROM unnest('{job,summary,batch}'::regclass[]) AS name
), (pg_current_wal_lsn() - '0/0')::bigint, xact_commit
FROM pg_stat_database WHERE datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Sample(soak.Sample):
    """The state after a number of jobs, with the speed since the last sample.

    `queues_ms` and `queued_ms` are the medians of `GET /queues` and of a page of queued jobs;
    `postgres` is the PSS of all its processes.
    """

    postgres: int
    jobs_per_s: float
    queues_ms: float
    queued_ms: float


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes in Valkey, in its file, in the tables with their indexes, and in Postgres' log.

    `commits` counts all transactions, including those that only read.
    """

    valkey: float
    file: float
    tables: float
    log: float
    commits: float

    def per_job(self, since: Self, jobs: int) -> "Held":
        """Return the growth since then, divided by a number of jobs."""
        return Held(
            *((getattr(self, it) - getattr(since, it)) / jobs for it in Held.__dataclass_fields__)
        )


@dataclass(frozen=True, slots=True)
class Drained:
    """A backlog and its results.

    `queued` is the size of a queued job, and `done` what its execution adds; `found` counts rows of
    the tables at the end, `told` the notices of ended jobs.
    """

    jobs: int
    filled_in: float
    seconds: float
    queued: Held
    done: Held
    cpu_us_per_job: Mapping[str, float]
    found: Mapping[str, int]
    told: int
    samples: Sequence[Sample]


async def perform(system: System, jobs: int, say: Callable[[Sample], None]) -> Drained:
    """Queue jobs, then start the workers; raises BenchError and StackError."""
    side = await system.api()
    async with (
        connected(side.dsn, PATIENCE) as database,
        Redis.from_url(system.redis_url, socket_timeout=PATIENCE) as queue,
        heard(side) as ends,
    ):
        empty, start = await _held(database, queue), time.monotonic()
        await fill(system, database, jobs)
        await database.execute("VACUUM ANALYZE")
        full, filled_in = await _held(database, queue), time.monotonic() - start
        pids = {**side.pids, **await system.workers(1)}
        cpu = {it: usage.cpu_seconds(pid) for it, pid in pids.items()}
        drain = Drain(system, side, pids, queue)
        samples = [await drain.sample(ends, it * jobs // soak.SAMPLES, say) for it in NUMBERS]
        await soak.empty(queue)
        done = await _held(database, queue)
        used = {it: usage.cpu_seconds(pid) - cpu[it] for it, pid in pids.items()}
        [found] = await database.fetch(_FOUND)
    return Drained(
        jobs=jobs,
        filled_in=round(filled_in, 1),
        seconds=samples[-1].seconds,
        queued=full.per_job(empty, jobs),
        done=done.per_job(full, jobs),
        cpu_us_per_job={it: seconds / jobs * 1e6 for it, seconds in used.items()},
        found=dict(found),
        told=ends.count,
        samples=samples,
    )


def flaws(it: Drained) -> list[str]:
    """Return the processes that grew, and everything that was not done exactly once."""
    once = {**dict.fromkeys(it.found, it.jobs), "failed": 0, "dead": 0, "told": it.jobs}
    return soak.flaws(it.samples) + [
        f"{name}: {count} of {it.jobs} jobs, not {once[name]}"
        for name, count in {**it.found, "told": it.told}.items()
        if count != once[name]
    ]


async def fill(system: System, database: Any, jobs: int) -> None:
    """Queue jobs, and send their messages as the API does."""
    await database.execute("SET session_replication_role = replica")
    async with Publisher(system.redis_url) as publisher:
        for begin in range(0, jobs, CHUNK):
            ids = [new_id() for _ in range(min(CHUNK, jobs - begin))]
            rows = await database.fetch(_ACCEPT, SOURCE, ids)
            for first in range(0, len(rows), SENT_TOGETHER):
                async with asyncio.TaskGroup() as group:
                    for row in rows[first : first + SENT_TOGETHER]:
                        message = FetchRequested(
                            job_id=row["id"], source=SOURCE, requested_at=row["requested_at"]
                        )
                        group.create_task(publisher.send(message))


class Ends:
    """Counts ended jobs."""

    def __init__(self) -> None:
        self.count = 0
        self._news = asyncio.Event()

    async def reach(self, count: int) -> None:
        """Return once `count` jobs have ended.

        Raises PipelineError when none ends for PATIENCE seconds.
        """
        while self.count < count:
            self._news.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._news.wait()
            except TimeoutError:
                raise PipelineError(
                    f"no job ended in {PATIENCE:g} s, {self.count} of {count} have"
                ) from None

    def hear(self, _: object, __: int, ___: str, payload: Any) -> None:
        """Handle one notice."""
        if msgspec.json.decode(payload)["state"] != State.QUEUED:
            self.count += 1
            self._news.set()


@asynccontextmanager
async def heard(side: Side) -> AsyncIterator[Ends]:
    """Count the jobs that end within the block."""
    ends = Ends()
    async with connected(side.dsn, PATIENCE) as connection:
        await connection.add_listener(JOBS, ends.hear)
        yield ends


class Drain:
    """Takes samples of a system; its clock begins at its creation."""

    def __init__(self, system: System, side: Side, pids: Mapping[str, int], queue: Redis) -> None:
        self._system = system
        self._port = side.port
        self._pids = {**pids, "valkey": system.valkey_pid}
        self._queue = queue
        self._start = time.monotonic()
        self._last = (0, 0.0)

    async def sample(self, ends: Ends, jobs: int, say: Callable[[Sample], None]) -> Sample:
        """Wait until `jobs` jobs have ended; report and return a sample."""
        await ends.reach(jobs)
        ended, seconds = ends.count, time.monotonic() - self._start
        before, self._last = self._last, (ended, seconds)
        seen = Sample(
            jobs=ended,
            seconds=round(seconds, 1),
            rss={name: usage.memory(pid).rss for name, pid in self._pids.items()},
            valkey=await soak.held(self._queue),
            postgres=usage.family_memory(self._system.postgres_pid).pss,
            jobs_per_s=round((ended - before[0]) / (seconds - before[1]), 1),
            queues_ms=await self._ask("/queues"),
            queued_ms=await self._ask("/jobs?state=queued&limit=50"),
        )
        say(seen)
        return seen

    async def _ask(self, path: str) -> float:
        request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
        done = await load.drive(
            self._port, request, status=200, connections=1, go_on=load.times(REQUESTS)
        )
        return round(statistics.median(done.latencies) * 1e3, 2)


async def _held(database: Any, queue: Redis) -> Held:
    valkey: Any = await queue.info("everything")
    return Held(valkey["used_memory"], valkey["aof_current_size"], *await database.fetchrow(_HELD))
