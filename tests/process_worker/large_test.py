"""A large batch is stored piece by piece, whole or not at all, whatever happens on the way."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from redis.asyncio import Redis

from mousetrap.geo import groups
from mousetrap.geo.batch import Batch
from mousetrap.geo.summary import Summarizer, Summary, summarise
from mousetrap.jobs.job import Job
from mousetrap.jobs.state import State
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.process_worker.processor import Processor
from mousetrap.queue.errors import QueueUnavailableError, RejectedMessageError
from mousetrap.queue.pieces import PREFIX, PieceStore
from mousetrap.store import batches
from mousetrap.store.batches import Part
from mousetrap.store.database import Database
from mousetrap.store.engine import Engine
from mousetrap.store.table import Table
from support.large import in_pieces, joined
from support.postgres import Connection
from support.samples import POLICY, points, submitted, succeed

PLAIN = [
    Batch((1.0, 2.0, 3.0), (178.0, -178.0, 0.0), ("a", None, "c")),
    Batch((4.0,), (5.0,), ("é",)),
]
FULL = [
    Batch((1.0, 2.0), (3.0, 4.0), ("a", None)),
    Batch((5.0, 6.0), (7.0, 8.0), ("b", "c"), ("1", None), ("x", "y"), (None, 2.5)),
]
PARTS = "SELECT count(*) FROM batch_part WHERE job_id = $1"


@pytest.fixture
def processor(database: Database, pieces: PieceStore, monkeypatch: pytest.MonkeyPatch) -> Processor:
    monkeypatch.setattr(batches, "PART", 2)
    return Processor(database, pieces, POLICY, ProcessMetrics())


async def found(database: Database, job_id: UUID) -> Job:
    job = await database.jobs.find(job_id)
    assert job
    return job


async def kept(raw: Redis) -> int:
    return len(await raw.keys(f"{PREFIX}*"))


@pytest.mark.parametrize("batch", [PLAIN, FULL], ids=["plain", "full"])
async def test_it_has_the_summary_and_the_points_of_a_batch_in_one_message(
    processor: Processor, pieces: PieceStore, database: Database, raw: Redis, batch: list[Batch]
) -> None:
    job, whole = await submitted(database), await submitted(database)
    expected = joined(batch)
    summary = summarise(expected, grid=True)
    await succeed(database, whole.id, batch=expected, summary=summary)

    await processor.process(await in_pieces(pieces, job.id, batch, grid=True))

    assert (await found(database, job.id)).state is State.SUCCEEDED
    assert await points(database, job.id) == await points(database, whole.id)
    assert await points(database, job.id, Table()) == await points(database, whole.id, Table())
    documents = [await document(database, it.id) for it in (job, whole)]
    assert documents[0] == documents[1]
    assert await kept(raw) == 0


async def document(database: Database, job_id: UUID) -> dict[str, Any]:
    stored = await database.summaries.find(job_id)
    assert stored
    members: dict[str, Any] = msgspec.json.decode(stored.document)
    own = {"job_id", "requested_at", "fetched_at", "finished_at", "processed_at"}
    return {name: value for name, value in members.items() if name not in own}


async def test_a_second_delivery_changes_nothing_and_leaves_nothing_behind(
    processor: Processor, pieces: PieceStore, database: Database, raw: Redis
) -> None:
    job = await submitted(database)
    first, second = [await in_pieces(pieces, job.id, PLAIN) for _ in range(2)]
    await processor.process(first)
    before = await points(database, job.id)

    await processor.process(first)  # its pieces are gone
    await processor.process(second)

    assert (await found(database, job.id)).state is State.SUCCEEDED
    assert await points(database, job.id) == before
    assert await kept(raw) == 0


async def test_two_deliveries_at_once_store_one_batch(
    pieces: PieceStore, database: Database, side: Connection
) -> None:
    job = await submitted(database)
    message = await in_pieces(pieces, job.id, PLAIN)
    processors = [Processor(database, pieces, POLICY, ProcessMetrics()) for _ in range(3)]

    await asyncio.gather(*(it.process(message) for it in processors))

    assert (await found(database, job.id)).state is State.SUCCEEDED
    assert await side.fetchval(PARTS, job.id) == len(PLAIN)


@pytest.fixture
def failing(pieces: PieceStore, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let Redis fail once, when a piece with this number is asked for."""

    def fail_at(number: int) -> None:
        original: Callable[[str, int], Awaitable[bytes]] = pieces.get

        async def get(key: str, asked: int) -> bytes:
            if asked == number:
                monkeypatch.setattr(pieces, "get", original)
                raise QueueUnavailableError("away")
            return await original(key, asked)

        monkeypatch.setattr(pieces, "get", get)

    return fail_at


async def test_what_is_cut_off_between_two_pieces_leaves_nothing_and_is_stored_the_next_time(
    processor: Processor,
    pieces: PieceStore,
    database: Database,
    side: Connection,
    failing: Callable[[int], None],
) -> None:
    job = await submitted(database)
    message = await in_pieces(pieces, job.id, PLAIN)
    failing(1)

    with pytest.raises(QueueUnavailableError):
        await processor.process(message)

    assert await side.fetchval(PARTS, job.id) == 0
    assert (await found(database, job.id)).state is State.QUEUED

    await processor.process(message)
    assert (await found(database, job.id)).state is State.SUCCEEDED
    assert await side.fetchval(PARTS, job.id) == 3


async def test_the_summary_does_not_wait_until_the_last_points_are_stored(
    processor: Processor,
    pieces: PieceStore,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    summarised = threading.Event()
    keep, summary = batches.keep, Summarizer.summary

    async def slowly(engine: Engine, job_id: UUID, first: int, kept: Sequence[Part]) -> None:
        if first == 2:  # the part of the last piece
            assert await asyncio.to_thread(summarised.wait, 20)
        await keep(engine, job_id, first, kept)

    def told(summarizer: Summarizer) -> Summary:
        found = summary(summarizer)
        summarised.set()
        return found

    monkeypatch.setattr(batches, "keep", slowly)
    monkeypatch.setattr(Summarizer, "summary", told)
    job = await submitted(database)

    await processor.process(await in_pieces(pieces, job.id, PLAIN))

    assert (await found(database, job.id)).state is State.SUCCEEDED


async def test_a_batch_whose_pieces_are_lost_is_fetched_again(
    processor: Processor, pieces: PieceStore, database: Database, side: Connection, raw: Redis
) -> None:
    job = await submitted(database)
    message = await in_pieces(pieces, job.id, PLAIN)
    await raw.delete(f"{PREFIX}{message.batch.key}:1")

    await processor.process(message)

    waiting = await found(database, job.id)
    assert (waiting.state, waiting.attempts) == (State.QUEUED, 2)
    assert await side.fetchval("SELECT error_code FROM attempt") == "batch-lost"
    assert await side.fetchval(PARTS, job.id) == 0
    assert await kept(raw) == 0

    await processor.process(await in_pieces(pieces, job.id, PLAIN, attempt=2))
    assert (await found(database, job.id)).state is State.SUCCEEDED


async def test_a_piece_that_cannot_be_read_is_rejected(
    processor: Processor, pieces: PieceStore, database: Database, side: Connection, raw: Redis
) -> None:
    job = await submitted(database)
    message = await in_pieces(pieces, job.id, PLAIN)
    await raw.set(f"{PREFIX}{message.batch.key}:1", b'{"latitudes":[91]}')

    with pytest.raises(RejectedMessageError):
        await processor.process(message)

    assert (await found(database, job.id)).state is State.QUEUED
    assert await side.fetchval(PARTS, job.id) == 0


async def test_the_job_of_a_batch_may_be_unknown(processor: Processor, pieces: PieceStore) -> None:
    with pytest.raises(RejectedMessageError):
        await processor.process(await in_pieces(pieces, uuid4(), PLAIN))


async def test_a_property_with_too_many_values_fails_the_job_with_advice(
    processor: Processor,
    pieces: PieceStore,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(groups, "MAX_DISTINCT", 1)
    job = await submitted(database)

    await processor.process(await in_pieces(pieces, job.id, FULL))

    failed = await found(database, job.id)
    assert failed.state is State.FAILED
    assert failed.failure
    assert failed.failure.code == "too-many-groups"
    assert "set group_by" in failed.failure.detail


async def test_its_changes_are_those_since_the_last_batch(
    processor: Processor, pieces: PieceStore, database: Database
) -> None:
    first, second, third = [await submitted(database) for _ in range(3)]
    old = [Batch((1.0,) * 3, (1.0,) * 3, (None,) * 3, ids=("a", "b", None))]
    new = [Batch((1.0,), (1.0,), (None,)), Batch((1.0,) * 2, (1.0,) * 2, (None,) * 2, ("c", "b"))]

    await processor.process(await in_pieces(pieces, first.id, old, changes=True))
    await processor.process(await in_pieces(pieces, second.id, new, changes=True))
    await processor.process(await in_pieces(pieces, third.id, PLAIN, changes=True))

    counts = [
        (await database.changes.lists(it.id) or (None, None))[1] for it in (first, second, third)
    ]
    assert counts == [
        '{"since":null,"new":null,"gone":null}',
        f'{{"since":"{first.id}","new":1,"gone":1}}',
        '{"since":null,"new":null,"gone":null}',
    ]
    assert await database.changes.lists(second.id) == ('{"new":["c"],"gone":["a"]}', counts[1])


async def test_storing_a_batch_may_take_longer_than_a_call(
    migrated_dsn: str, pieces: PieceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = pieces.get

    async def slowly(key: str, number: int) -> bytes:
        await asyncio.sleep(0.7)  # longer than a statement may, or a pause of another transaction
        return await original(key, number)

    monkeypatch.setattr(pieces, "get", slowly)
    async with Database(migrated_dsn, deadline=0.5) as database:
        job = await submitted(database)
        processor = Processor(database, pieces, POLICY, ProcessMetrics(), patience=0)
        await processor.process(await in_pieces(pieces, job.id, [PLAIN[1]] * 2))
        assert (await found(database, job.id)).state is State.SUCCEEDED


async def test_pieces_that_cannot_be_dropped_do_not_fail_their_message(
    processor: Processor,
    pieces: PieceStore,
    database: Database,
    raw: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def drop(*_: object) -> None:
        raise QueueUnavailableError("away")

    monkeypatch.setattr(pieces, "drop", drop)
    job = await submitted(database)

    await processor.process(await in_pieces(pieces, job.id, PLAIN))

    assert (await found(database, job.id)).state is State.SUCCEEDED
    assert await kept(raw) == len(PLAIN)  # until they expire
