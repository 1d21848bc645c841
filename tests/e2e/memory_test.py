"""The largest feeds that the defaults permit, within the memory that deploy/production.yaml gives.

As root, which CI is, each process runs in a cgroup that enforces the limit. Without the right to
make one, the peak of each process is measured instead.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

from redis.asyncio import Redis

from mousetrap.messages.schema import MAX_WHOLE
from mousetrap.queue.envelope import MAX_BYTES
from mousetrap.queue.stages import PROCESS
from support.confined import confined, peak
from support.largest import FEEDS, system
from support.processes import running
from support.streams import until

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


def envelope(payload: bytes) -> bytes:
    head = b'{"task_id":"a/1","task_name":"mousetrap.process","labels":{},"kwargs":{},"args":['
    return head + payload + b"]}"


def batch(field: bytes, piece: bytes, size: int = MAX_BYTES - 1000) -> bytes:
    """Return a message with so many pieces as fit into `size` bytes."""
    pieces = b",".join([piece] * (size // (len(piece) + 1)))
    return envelope(HEAD % ((uuid4().hex.encode(),) * 2) + field % pieces + b"}")


def fullest() -> bytes:
    """Return a valid message with as many points as one may have, and as much text as fits."""
    numbers = b",".join([b"0"] * MAX_WHOLE)
    letters = (MAX_BYTES - 1000) // MAX_WHOLE - len("0,0,") - len(',"🐭"'.encode())
    name = '"🐭' + "a" * letters + '"'
    names = b",".join([name.encode()] * MAX_WHOLE)
    field = b'"version":2,"batch":{"latitudes":[%s],"longitudes":[%s],"names":[%%s]}'
    return batch(field % (numbers, numbers), names, len(names) + 1)


HEAD = b'{"type":"batch-fetched","job_id":"%s","job":"%s","fetched_at":"2026-01-02T03:04:05Z",'
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
            assert confinement.kills() == 0
