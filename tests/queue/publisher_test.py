"""A sender puts each message on its stream, or is told why it cannot."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.messages.schema import BatchFetched, FetchFailed, FetchRequested, Message
from mousetrap.queue import envelope
from mousetrap.queue.errors import MessageTooLargeError, QueueUnavailableError
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH, PROCESS
from mousetrap.queue.streams import WAITING
from mousetrap.queue.task_publisher import TaskPublisher

REQUEST = FetchRequested(uuid4(), "demo", attempt=2)
BATCH = BatchFetched(
    uuid4(), datetime.now(UTC), Batch.of([Point(1.5, 2.5, "Suva 苏瓦"), Point(0.0, -180.0)])
)
FAILURE = FetchFailed(uuid4(), datetime.now(UTC), "gone", "ask again", retryable=True)

Sender = Publisher | TaskPublisher
Kind = type[Sender]


@pytest.fixture(params=[Publisher, TaskPublisher])
def kind(request: pytest.FixtureRequest) -> Kind:
    """The light way to send, of the API, and that of taskiq, of the workers: one contract."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture
async def publisher(redis_url: str, kind: Kind) -> AsyncIterator[Sender]:
    async with kind(redis_url) as found:
        yield found


@pytest.mark.parametrize(
    ("message", "key", "task"),
    [
        (REQUEST, "mousetrap:fetch", "mousetrap.fetch"),
        (BATCH, "mousetrap:process", "mousetrap.process"),
        (FAILURE, "mousetrap:process", "mousetrap.process"),
    ],
)
async def test_a_message_travels_as_readable_json_on_its_stream(
    message: Message, key: str, task: str, publisher: Sender, raw: Any
) -> None:
    await publisher.send(message)
    assert sorted(await raw.keys()) == [key.encode(), WAITING.encode()]
    [(_, fields)] = await raw.xrange(key)
    assert msgspec.json.decode(fields[b"data"]) == {
        "task_id": f"{message.job_id}/{message.attempt}",
        "task_name": task,
        "labels": {},
        "args": [msgspec.json.decode(msgspec.json.encode(message))],
        "kwargs": {},
    }


async def test_a_server_that_is_not_there_is_told(kind: Kind) -> None:
    async with kind("unix:///nowhere") as publisher:
        with pytest.raises(QueueUnavailableError, match="see whether Redis"):
            await publisher.send(REQUEST)
        with pytest.raises(QueueUnavailableError):
            await publisher.ping()


@asynccontextmanager
async def never_answering(folder: Path, asked: asyncio.Event | None = None) -> AsyncIterator[str]:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if asked is not None:
            asked.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(never, folder / "s"):
        yield f"unix://{folder / 's'}"


async def test_a_server_that_never_answers_is_given_up_at_the_deadline(
    tmp_path: Path, kind: Kind
) -> None:
    async with never_answering(tmp_path) as url, kind(url, deadline=0.3) as publisher:
        for call in (publisher.send(REQUEST), publisher.ping()):
            begun = time.monotonic()
            with pytest.raises(QueueUnavailableError):
                await call
            assert time.monotonic() - begun < 1


async def test_what_is_sent_meanwhile_waits_for_one_deadline_more(
    tmp_path: Path, kind: Kind
) -> None:
    asked = asyncio.Event()
    async with never_answering(tmp_path, asked) as url, kind(url, deadline=0.5) as publisher:
        begun = time.monotonic()
        first = asyncio.create_task(publisher.send(REQUEST))
        async with asyncio.timeout(10):
            await asked.wait()
        others = [asyncio.create_task(publisher.send(REQUEST)) for _ in range(50)]
        ends = await asyncio.gather(first, *others, return_exceptions=True)
        assert {type(end) for end in ends} == {QueueUnavailableError}
        assert time.monotonic() - begun < 1.9  # not as long as three would take


async def test_a_server_without_memory_is_told_and_recovers(publisher: Sender, raw: Any) -> None:
    await raw.config_set("maxmemory", "1")
    try:
        with pytest.raises(QueueUnavailableError, match="memory"):
            await publisher.send(REQUEST)
    finally:
        await raw.config_set("maxmemory", "0")
    await publisher.send(REQUEST)
    await publisher.ping()
    assert await raw.xlen(FETCH.key) == 1


async def test_a_message_that_is_too_large_is_refused_for_good(
    publisher: Sender, raw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envelope, "MAX_BYTES", 200)
    with pytest.raises(MessageTooLargeError, match="200 are allowed") as caught:
        await publisher.send(BATCH)
    assert not isinstance(caught.value, QueueUnavailableError)
    assert not await raw.exists(PROCESS.key)
