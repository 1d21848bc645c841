"""The largest feeds that the defaults permit, within the memory that deploy/production.yaml gives.

As root, which CI is, each process runs in a cgroup that enforces the limit. Without the right to
make one, the peak of each process is measured instead.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from redis.asyncio import Redis

from mousetrap.messages.schema import MAX_PIECE_BYTES, MAX_WHOLE, LargeBatchFetched, Pieces
from mousetrap.queue.envelope import MAX_BYTES
from mousetrap.queue.pieces import PREFIX
from mousetrap.queue.stages import PROCESS
from mousetrap.store.database import Database
from support.confined import confined, peak
from support.largest import FEEDS, HEAD, TAIL, features, system
from support.origin import answer
from support.processes import running
from support.samples import submitted
from support.streams import until

pytestmark = pytest.mark.usefixtures("untraced")

PRODUCTION = Path("deploy/production.yaml").resolve()
PROCESSES = 3


def limit() -> int:
    """Return the bytes that a process of ours may take in production."""
    text = PRODUCTION.read_text("utf-8")
    [_, ours] = re.split(r"^x-process: &process$", text, flags=re.MULTILINE)
    found = re.search(r"^  mem_limit: (\d+)m$", ours, re.MULTILINE)
    assert found
    return int(found[1]) * 1024 * 1024


async def test_the_largest_feeds_pass_three_at_once_through_every_process(
    migrated_dsn: str, redis_url: str, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        confinements = [stack.enter_context(confined(limit())) for _ in range(PROCESSES)]
        async with system(
            tmp_path, confinements, postgres_dsn=migrated_dsn, redis_url=redis_url
        ) as started:
            for body in FEEDS.values():
                passage = await started.passage(body())
                assert max(passage.peaks.values()) <= limit(), passage
            assert [it.kills() for it in confinements] == [0] * PROCESSES
            assert not any(
                it.all_logged("message is dead-lettered") for it in started.processes.values()
            )


MILLION = 1_000_000
KEYS = """\
kind = "{}"
max_points = 1_000_000
max_bytes = 200_000_000
deadline = 600
"""
MARGIN = 16 * 1024 * 1024
"""Bytes that reading a batch may take, however large it is: those of a few parts."""


# A table takes the same way as GeoJSON once it is read; tests/sources/streaming_test.py has the
# memory that reading one takes.
SIZES = {"geojson": MILLION, "csv": MILLION // 10}


def feed(form: str) -> bytes:
    """Return a feed of named points."""
    count = SIZES[form]
    if form == "csv":
        rows = (f"{it * 0.00017 - 85:.5f},{it * 0.00035 - 175:.5f},{it}\n" for it in range(count))
        return b"lat,lon,name\n" + "".join(rows).encode()
    return HEAD + b",\n".join(features(map(str, range(count)))) + TAIL


@pytest.mark.parametrize("form", SIZES)
async def test_a_million_points_pass_through_every_process(
    migrated_dsn: str, redis_url: str, raw: Redis, tmp_path: Path, form: str
) -> None:
    with ExitStack() as stack:
        confinements = [stack.enter_context(confined(limit())) for _ in range(PROCESSES)]
        async with system(
            tmp_path,
            confinements,
            postgres_dsn=migrated_dsn,
            redis_url=redis_url,
            keys=KEYS.format(form),
        ) as started:
            started.origin.answers(answer(feed(form)))
            job = await started.refresh("s0")
            ended = await started.ended(job)
            assert (ended["state"], ended["attempts"]) == ("succeeded", 1), ended
            before = started.peaks()["api"]
            assert await started.points(job) == SIZES[form]
            peaks = started.peaks()
        assert peaks["api"] - before < MARGIN
        assert max(peaks.values()) <= limit(), peaks
        assert [it.kills() for it in confinements] == [0] * PROCESSES
    assert await raw.keys(f"{PREFIX}*") == []


def envelope(payload: bytes) -> bytes:
    head = b'{"task_id":"a/1","task_name":"mousetrap.process","labels":{},"kwargs":{},"args":['
    return head + payload + b"]}"


def batch(field: bytes, piece: bytes, size: int = MAX_BYTES - 1000) -> bytes:
    """Return a message with so many pieces as fit into `size` bytes."""
    pieces = b",".join([piece] * (size // (len(piece) + 1)))
    return envelope(START % ((uuid4().hex.encode(),) * 2) + field % pieces + b"}")


def fullest() -> bytes:
    """Return a valid message with as many points as one may have, and as much text as fits."""
    numbers = b",".join([b"0"] * MAX_WHOLE)
    letters = (MAX_BYTES - 1000) // MAX_WHOLE - len("0,0,") - len(',"🐭"'.encode())
    name = '"🐭' + "a" * letters + '"'
    names = b",".join([name.encode()] * MAX_WHOLE)
    field = b'"version":2,"batch":{"latitudes":[%s],"longitudes":[%s],"names":[%%s]}'
    return batch(field % (numbers, numbers), names, len(names) + 1)


START = b'{"type":"batch-fetched","job_id":"%s","job":"%s","fetched_at":"2026-01-02T03:04:05Z",'
COLUMNS = b'"version":2,"batch":{"latitudes":[%s],"longitudes":[],"names":[]}'
NAMES = b'"version":2,"batch":{"latitudes":[],"longitudes":[],"names":[%s]}'
POINTS = b'"version":1,"points":[%s]'
HOSTILE: Mapping[str, Callable[[], bytes]] = {
    "larger than any": lambda: envelope(b"0" * 34 * 1024 * 1024),
    "fullest": fullest,
    "numbers": lambda: batch(COLUMNS, b"0"),
    "empty names": lambda: batch(NAMES, b'""'),
    "wide names": lambda: batch(NAMES, '"🐭"'.encode()),
    "lists": lambda: batch(COLUMNS, b"[]"),
    "points": lambda: batch(POINTS, b'{"lat":0,"lon":0}'),
    "named points": lambda: batch(POINTS, '{"lat":0,"lon":0,"name":"🐭"}'.encode()),
    "objects": lambda: batch(POINTS, b"{}"),
}


def piece(names: bytes) -> bytes:
    """Return a piece whose names fill it."""
    fill = b",".join([names] * ((MAX_PIECE_BYTES - 1000) // (len(names) + 1)))
    return b'{"latitudes":[0],"longitudes":[0],"names":[%s]}' % fill


PIECES: Mapping[str, Callable[[], bytes]] = {
    "larger than any": lambda: b" " * 200 * 1024 * 1024,
    "empty names": lambda: piece(b'""'),
    "lists": lambda: piece(b"[]"),
    "nesting": lambda: piece(b"[" * 100_000),
    "fullest": lambda: piece('"🐭"'.encode()).replace(b"[0]", b"[%s]" % b",".join([b"0"] * 10_000)),
}


async def test_no_message_of_a_fetch_worker_that_is_broken_into_ends_a_process_worker(
    migrated_dsn: str, redis_url: str, raw: Redis, tmp_path: Path
) -> None:
    sources = tmp_path / "sources.toml"
    sources.write_text('default = "demo"\n[sources.demo]\nkind = "faker"\n')
    with confined(limit()) as confinement:
        async with running(
            "process_worker",
            settings={
                "postgres_dsn": migrated_dsn,
                "redis_url": redis_url,
                "sources_file": str(sources),
                "health_port": "0",
            },
            enter=confinement.enter,
        ) as worker:
            await worker.ready()
            for number, made in enumerate(HOSTILE.values(), start=1):
                await raw.xadd(PROCESS.key, {"data": made()})

                async def given_up(count: int = number) -> bool:
                    return len(worker.all_logged("message is dead-lettered")) == count

                await until(given_up)
                assert peak(worker.pid) <= limit()
            for number, made in enumerate(PIECES.values(), start=len(HOSTILE) + 1):
                async with Database(migrated_dsn) as database:
                    job = await submitted(database)
                key = uuid4().hex
                await raw.set(f"{PREFIX}{key}:0", made())
                message = LargeBatchFetched(job.id, datetime.now(UTC), Pieces(key, (10_000,) * 100))
                await raw.xadd(PROCESS.key, {"data": envelope(msgspec.json.encode(message))})

                async def refused(count: int = number) -> bool:
                    return len(worker.all_logged("message is dead-lettered")) == count

                await until(refused)
                assert peak(worker.pid) <= limit()
            assert confinement.kills() == 0
