import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from mousetrap.fetch_worker.fetcher import MAX_IN_HAND, Fetcher
from mousetrap.fetch_worker.metrics import FetchMetrics
from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.geo.report import Report, Skipped
from mousetrap.messages.codec import read_piece
from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.messages.schema import (
    BatchFetched,
    FetchFailed,
    FetchRequested,
    LargeBatchFetched,
)
from mousetrap.queue import envelope
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.pieces import PieceStore
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH, PROCESS
from mousetrap.queue.streams import GROUP
from mousetrap.settings.source_kinds import FakerSettings
from mousetrap.settings.sources import Sources
from mousetrap.sources import collector
from mousetrap.sources.catalogue import Catalogue
from mousetrap.sources.errors import NoFileError, SourceError
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.memory import claim
from mousetrap.sources.packed import PackedBatch
from support.streams import restricted, sent, until
from support.workers import working

SOURCES = Sources(default="demo", sources={"demo": FakerSettings(count=100)})
REQUEST = FetchRequested(uuid4(), "demo", attempt=7)


class Failing(Catalogue):
    """Every source fails in the same way."""

    def __init__(self, error: Exception) -> None:
        super().__init__(SOURCES)
        self._error = error

    async def fetch(self, name: str) -> Fetched:  # noqa: ARG002 - as in Catalogue
        raise self._error


class Lacking(Catalogue):
    """Has no file left for the first two requests."""

    asked = 0

    async def fetch(self, name: str) -> Fetched:
        self.asked += 1
        if self.asked <= 2:
            raise NoFileError("raise the limit")
        return await super().fetch(name)


class Giving(Catalogue):
    """Every source gives the same."""

    def __init__(self, fetched: Fetched) -> None:
        super().__init__(SOURCES)
        self._fetched = fetched

    async def fetch(self, name: str) -> Fetched:  # noqa: ARG002 - as in Catalogue
        return self._fetched


class Counting(Catalogue):
    """Counts how often its sources are asked."""

    asked = 0

    async def fetch(self, name: str) -> Fetched:
        self.asked += 1
        return await super().fetch(name)


class Large(Catalogue):
    """Every batch may be so large that two of them are too much."""

    def __init__(self) -> None:
        super().__init__(SOURCES)
        self.asked: list[str] = []
        self.may_answer = asyncio.Event()

    async def fetch(self, name: str) -> Fetched:
        await claim(MAX_IN_HAND * 2 // 3)
        self.asked.append(name)
        await self.may_answer.wait()
        return await super().fetch(name)


@pytest.fixture
async def catalogue() -> AsyncIterator[Counting]:
    async with Counting(SOURCES) as found:
        yield found


@pytest.fixture
def fetcher(catalogue: Catalogue, publisher: Publisher, pieces: PieceStore) -> Fetcher:
    return Fetcher(catalogue, publisher, pieces, FetchMetrics())


async def test_sends_the_batch_on(fetcher: Fetcher, raw: Redis) -> None:
    begin = datetime.now(UTC)
    await fetcher.fetch(REQUEST)

    [batch] = await sent(raw, PROCESS)

    assert isinstance(batch, BatchFetched)
    assert (batch.job_id, batch.attempt, len(batch.batch)) == (REQUEST.job_id, 7, 100)
    assert begin <= batch.fetched_at <= datetime.now(UTC)


async def test_a_request_waits_while_the_worker_may_open_no_file(
    publisher: Publisher, raw: Redis, pieces: PieceStore
) -> None:
    async with Lacking(SOURCES) as catalogue:
        await Fetcher(catalogue, publisher, pieces, FetchMetrics()).fetch(REQUEST)

    [batch] = await sent(raw, PROCESS)
    assert isinstance(batch, BatchFetched)


async def test_says_what_the_summary_is_to_have(
    publisher: Publisher, raw: Redis, pieces: PieceStore
) -> None:
    asking = Sources(default="demo", sources={"demo": FakerSettings(grid=True, changes=True)})
    async with Catalogue(SOURCES) as plain, Catalogue(asking) as catalogue:
        await Fetcher(plain, publisher, pieces, FetchMetrics()).fetch(REQUEST)
        await Fetcher(catalogue, publisher, pieces, FetchMetrics()).fetch(REQUEST)

    batches = await sent(raw, PROCESS)
    assert [(it.grid, it.changes) for it in batches if isinstance(it, BatchFetched)] == [
        (False, False),
        (True, True),
    ]


async def test_measures_each_source_by_what_came_of_it(
    catalogue: Catalogue, publisher: Publisher, pieces: PieceStore
) -> None:
    metrics = FetchMetrics()
    await Fetcher(catalogue, publisher, pieces, metrics).fetch(REQUEST)
    await Fetcher(catalogue, publisher, pieces, metrics).fetch(FetchRequested(uuid4(), "gone"))

    for source, result in {"demo": "taken", "gone": "unknown-source"}.items():
        labels = {"source": source, "result": result}
        assert metrics.registry.get_sample_value("mousetrap_fetch_seconds_count", labels) == 1


async def test_counts_what_batches_were_read_from_and_what_was_left_out(
    publisher: Publisher, pieces: PieceStore
) -> None:
    metrics = FetchMetrics()
    batch = Batch.of([Point(1.0, 2.0)])
    report = Report(Skipped(12, {"no geometry": 12}), 3, 4096, 200, warnings=("no names",))
    for status in (200, 304):
        given = Fetched(batch, replace(report, status=status))
        async with Giving(given) as catalogue:
            await Fetcher(catalogue, publisher, pieces, metrics).fetch(REQUEST)

    counted = {"pages": 3, "bytes": 4096, "features_skipped": 12, "warnings": 1}
    for name, count in counted.items():
        series = f"mousetrap_fetch_{name}_total"
        assert metrics.registry.get_sample_value(series, {"source": "demo"}) == count


@pytest.mark.parametrize("kind", SourceError.__subclasses__(), ids=lambda kind: kind.code)
async def test_sends_on_why_there_is_no_batch(
    kind: type[SourceError], publisher: Publisher, raw: Redis, events: list[Any], pieces: PieceStore
) -> None:
    async with Failing(kind("look at the source", excerpt="<p>secret")) as catalogue:
        await Fetcher(catalogue, publisher, pieces, FetchMetrics(), patience=0).fetch(REQUEST)

    [failure] = await sent(raw, PROCESS)

    assert isinstance(failure, FetchFailed)
    assert (failure.job_id, failure.attempt) == (REQUEST.job_id, 7)
    assert (failure.code, failure.retryable) == (kind.code, kind.retryable)
    assert failure.detail == "look at the source"
    assert [it["excerpt"] for it in events if it["event"] == "no batch"] == ["<p>secret"]


async def test_an_unknown_source_is_a_failure_that_says_what_to_do(
    fetcher: Fetcher, raw: Redis
) -> None:
    await fetcher.fetch(FetchRequested(uuid4(), "nowhere"))

    [failure] = await sent(raw, PROCESS)

    assert isinstance(failure, FetchFailed)
    assert (failure.code, failure.retryable) == ("unknown-source", False)
    assert "add [sources.nowhere] to sources.toml" in failure.detail


async def test_a_batch_that_no_message_can_hold_is_a_failure(
    fetcher: Fetcher, raw: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envelope, "MAX_BYTES", 2000)

    await fetcher.fetch(REQUEST)

    [failure] = await sent(raw, PROCESS)
    assert isinstance(failure, FetchFailed)
    assert (failure.code, failure.retryable, failure.attempt) == ("batch-too-large", False, 7)
    assert "2000 are allowed" in failure.detail


@pytest.fixture
def packed(monkeypatch: pytest.MonkeyPatch) -> PackedBatch:
    monkeypatch.setattr(collector, "PIECE", 2)
    found = collector.Collector(max_points=10)
    for number in range(5):
        found.add(number, number, -number, f"{number}", group="g" if number == 4 else None)
    batch = found.batch()
    assert isinstance(batch, PackedBatch)
    return batch


async def test_a_large_batch_is_sent_in_pieces(
    publisher: Publisher, raw: Redis, pieces: PieceStore, packed: PackedBatch
) -> None:
    async with Giving(Fetched(packed, Report(pages=3))) as catalogue:
        await Fetcher(catalogue, publisher, pieces, FetchMetrics()).fetch(REQUEST)

    [message] = await sent(raw, PROCESS)

    assert isinstance(message, LargeBatchFetched)
    assert (message.job_id, message.attempt) == (REQUEST.job_id, REQUEST.attempt)
    assert (message.batch.points, message.report) == ((2, 2, 1), Report(pages=3))
    assert (message.batch.ids, message.batch.groups, message.batch.values) == (False, True, False)
    found = [
        read_piece(await pieces.get(message.batch.key, number), points)
        for number, points in enumerate(message.batch.points)
    ]
    assert [point for it in found for point in it] == [
        Point(number, -number, f"{number}") for number in range(5)
    ]


async def test_there_is_no_message_without_its_pieces(
    publisher: Publisher, raw: Redis, packed: PackedBatch
) -> None:
    async with (
        Giving(Fetched(packed, Report())) as catalogue,
        PieceStore("unix:///nowhere") as nowhere,
    ):
        with pytest.raises(QueueUnavailableError):
            await Fetcher(catalogue, publisher, nowhere, FetchMetrics(), patience=0).fetch(REQUEST)

    assert await sent(raw, PROCESS) == []


async def test_a_batch_is_not_read_while_it_might_be_too_much(
    publisher: Publisher, redis_url: str, raw: Redis, pieces: PieceStore
) -> None:
    catalogue = Large()

    async def both_in_hand() -> bool:
        pending = (await raw.xpending(FETCH.key, GROUP))["pending"]
        return bool(catalogue.asked and pending == 2)

    async def both_done() -> bool:
        return len(await sent(raw, PROCESS)) == 2

    for _ in range(2):
        await publisher.send(REQUEST)
    await raw.xgroup_create(FETCH.key, GROUP, id="0")
    async with catalogue:
        fetcher = Fetcher(catalogue, publisher, pieces, FetchMetrics())
        async with working(redis_url, FETCH, fetcher.fetch, lease=30.0, concurrency=256):
            await until(both_in_hand)
            assert catalogue.asked == ["demo"]
            catalogue.may_answer.set()
            await until(both_done)
    assert catalogue.asked == ["demo"] * 2


async def test_a_mistake_of_ours_is_no_outcome(
    publisher: Publisher, raw: Redis, pieces: PieceStore
) -> None:
    async with Failing(ZeroDivisionError()) as catalogue:
        with pytest.raises(ZeroDivisionError):
            await Fetcher(catalogue, publisher, pieces, FetchMetrics()).fetch(REQUEST)

    assert await sent(raw, PROCESS) == []


async def test_the_batch_in_hand_waits_while_the_queue_takes_nothing(
    catalogue: Counting,
    redis_url: str,
    raw: Redis,
    events: list[dict[str, object]],
    pieces: PieceStore,
) -> None:
    async def refused() -> bool:
        return any("does not work" in str(it["event"]) for it in events)

    async with (
        restricted(raw, redis_url, "xadd") as user,
        Publisher(user.url) as publisher,
        asyncio.TaskGroup() as group,
    ):
        fetching = group.create_task(
            Fetcher(catalogue, publisher, pieces, FetchMetrics()).fetch(REQUEST)
        )
        await until(refused)
        assert not fetching.done()
        await user.allow()

    assert [outcome.job_id for outcome in await sent(raw, PROCESS)] == [REQUEST.job_id]
    assert catalogue.asked == 1


async def test_its_patience_with_the_queue_has_an_end(
    catalogue: Catalogue, pieces: PieceStore
) -> None:
    async with Publisher("unix:///nowhere") as publisher:
        fetcher = Fetcher(catalogue, publisher, pieces, FetchMetrics(), patience=0)
        with pytest.raises(QueueUnavailableError):
            await fetcher.fetch(REQUEST)


async def test_the_attempt_of_a_request_given_up_fails(fetcher: Fetcher, raw: Redis) -> None:
    letter = DeadLetter(FETCH.key, "1-0", b"{}", "not a message", REQUEST.job_id, 1, attempt=2)

    await fetcher.bury(letter)

    [failure] = await sent(raw, PROCESS)
    assert isinstance(failure, FetchFailed)
    assert (failure.job_id, failure.attempt) == (REQUEST.job_id, 2)
    assert (failure.code, failure.retryable) == ("undeliverable", True)
    assert "not a message" in failure.detail


async def test_a_request_without_a_job_is_given_up_quietly(fetcher: Fetcher, raw: Redis) -> None:
    await fetcher.bury(DeadLetter(FETCH.key, "1-0", b"\xff", "not a message", None, 1))

    assert await sent(raw, PROCESS) == []
