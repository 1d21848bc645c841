import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from msgspec import structs

from mousetrap.jobs.job import Failure, Job
from mousetrap.jobs.state import State
from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.messages.schema import FetchOutcome
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.process_worker.processor import Processor
from mousetrap.queue.errors import RejectedMessageError
from mousetrap.queue.pieces import PieceStore
from mousetrap.queue.stages import PROCESS
from mousetrap.stack.servers import Servers
from mousetrap.store.database import Database
from mousetrap.store.errors import StoreUnavailableError
from mousetrap.store.schema.grants import Roles
from mousetrap.store.schema.migrations import migrate
from support import samples
from support.jobs import batch, failure
from support.postgres import Connection
from support.samples import (
    BATCH,
    FAILURE,
    POLICY,
    REPORT,
    SUMMARY,
    holds,
    submitted,
)
from support.streams import until

Events = list[dict[str, Any]]

REASON = "delivered 3 times and never finished"


@pytest.fixture
def processor(database: Database, pieces: PieceStore) -> Processor:
    return Processor(database, pieces, POLICY, ProcessMetrics())


def letter(job_id: UUID | None, *, attempt: int = 1) -> DeadLetter:
    return DeadLetter(PROCESS.key, "1-0", b"", REASON, job_id, 4, attempt=attempt)


async def found(database: Database, job_id: UUID) -> Job:
    job = await database.jobs.find(job_id)
    assert job
    return job


def waiting(events: Events) -> Any:
    async def told() -> bool:
        return any("storing the outcome does not work" in it["event"] for it in events)

    return told


async def test_a_batch_becomes_a_summary_and_its_job_succeeds(
    processor: Processor, database: Database
) -> None:
    job = await submitted(database)

    await processor.process(batch(job.id))

    after = await found(database, job.id)
    assert (after.state, after.attempts) == (State.SUCCEEDED, 2)
    summary = await database.summaries.find(job.id)
    assert summary
    assert holds(summary, SUMMARY)
    assert msgspec.json.encode(REPORT) in summary.document
    points = await samples.points(database, job.id)
    assert points
    assert b"Suva" in points


async def test_a_summary_has_what_the_source_asks_for_and_nothing_else(
    processor: Processor, database: Database
) -> None:
    plain, asking = await submitted(database), await submitted(database)
    batch_ = replace(
        BATCH, groups=("town", "town", "\ud800"), values=(1.0, None, 2.5), ids=("a", None, "b")
    )
    await processor.process(batch(plain.id))
    await processor.process(structs.replace(batch(asking.id), batch=batch_, grid=True))

    without = await database.summaries.find(plain.id)
    summary = await database.summaries.find(asking.id)
    assert without
    assert summary
    found = json.loads(summary.document)
    assert found.keys() - json.loads(without.document).keys() == {"groups", "values", "grid"}
    assert found["groups"] == {
        "counts": {"town": 2, "\ufffd": 1},
        "others": 0,
        "without": 0,
        "distinct": 2,
    }
    assert found["values"] == {"count": 2, "min": 1.0, "median": 1.75, "max": 2.5, "mean": 1.75}
    assert sum(count for _, _, count in found["grid"]["cells"]) == 3


async def test_a_summary_tells_what_has_changed_if_the_source_asks(
    processor: Processor, database: Database
) -> None:
    plain, first, second = [await submitted(database) for _ in range(3)]
    await processor.process(batch(plain.id))
    for job, ids in ((first, ("a", "b", None)), (second, ("b", "c", None))):
        named = replace(BATCH, ids=ids)
        await processor.process(structs.replace(batch(job.id), batch=named, changes=True))

    found = [await database.summaries.find(job.id) for job in (plain, first, second)]
    documents = [json.loads(it.document) for it in found if it]
    assert [it.get("changes", "absent") for it in documents] == [
        "absent",
        {"since": None, "new": None, "gone": None},
        {"since": str(first.id), "new": 1, "gone": 1},
    ]


async def test_a_failure_ends_the_job_with_its_reason(
    processor: Processor, database: Database
) -> None:
    job = await submitted(database)

    await processor.process(failure(job.id))

    after = await found(database, job.id)
    assert (after.state, after.failure) == (State.FAILED, FAILURE)
    assert await database.summaries.find(job.id) is None


@pytest.mark.parametrize(
    "order", [(batch, batch), (failure, failure), (batch, failure), (failure, batch)]
)
async def test_a_second_outcome_changes_nothing(
    processor: Processor, database: Database, side: Connection, order: Sequence[Any]
) -> None:
    async def everything() -> list[Any]:
        rows = "SELECT row_to_json(found)::text FROM (SELECT * FROM job) AS found"
        others = [f"{rows.replace('job', name)}" for name in ("summary", "batch")]
        return [await side.fetch(query) for query in (rows, *others)]

    job = await submitted(database)
    first, second = order
    await processor.process(first(job.id))
    before = await everything()

    await processor.process(second(job.id))
    await processor.bury(letter(job.id))

    assert await everything() == before


@pytest.mark.parametrize("outcome", [batch(uuid4()), failure(uuid4())], ids=["batch", "failure"])
async def test_a_job_that_the_database_does_not_have_is_told(
    processor: Processor, outcome: FetchOutcome
) -> None:
    with pytest.raises(RejectedMessageError):
        await processor.process(outcome)


async def test_an_outcome_that_is_given_up_is_a_failure_that_may_pass(
    processor: Processor, database: Database
) -> None:
    job = await submitted(database)

    await processor.bury(letter(job.id))
    again = await found(database, job.id)
    await processor.bury(letter(job.id))  # its worker has died before the message was moved
    assert await found(database, job.id) == again
    assert (again.state, again.attempts) == (State.QUEUED, 2)
    for attempt in range(2, POLICY.attempts + 1):
        assert (await found(database, job.id)).state is State.QUEUED
        await processor.bury(letter(job.id, attempt=attempt))

    after = await found(database, job.id)
    assert (after.state, after.failure) == (State.FAILED, Failure("undeliverable", REASON))
    assert after.attempts == POLICY.attempts


@pytest.mark.parametrize("job_id", [None, uuid4()], ids=["unreadable", "unknown"])
async def test_an_outcome_without_a_job_may_be_given_up(
    processor: Processor, side: Connection, job_id: UUID | None
) -> None:
    await processor.bury(letter(job_id))

    assert await side.fetchval("SELECT count(*) FROM job") == 0


async def test_an_outcome_waits_however_long_the_database_is_away(
    migrated_dsn: str, servers: Servers, events: Events, tmp_path: Path, pieces: PieceStore
) -> None:
    dsn = migrated_dsn.replace(str(servers.sockets), str(tmp_path))
    async with Database(migrated_dsn) as database:
        job = await submitted(database)
    async with Database(dsn) as database, asyncio.TaskGroup() as group:
        processing = group.create_task(
            Processor(database, pieces, POLICY, ProcessMetrics(), patience=0).process(batch(job.id))
        )
        await until(waiting(events))
        assert not processing.done()
        for path in servers.sockets.iterdir():
            (tmp_path / path.name).symlink_to(path)
        await processing
        assert (await found(database, job.id)).state is State.SUCCEEDED
    assert "storing the outcome works again" in [it["event"] for it in events]


async def test_an_outcome_waits_while_the_schema_is_missing(
    database: Database, side: Connection, events: Events, pieces: PieceStore
) -> None:
    job = await submitted(database)
    await side.execute("ALTER TABLE job RENAME TO gone")
    await side.execute("ALTER TABLE migration RENAME TO past")
    async with asyncio.TaskGroup() as group:
        processing = group.create_task(
            Processor(database, pieces, POLICY, ProcessMetrics(), patience=0).process(batch(job.id))
        )
        await until(waiting(events))
        assert not processing.done()
        await side.execute("ALTER TABLE past RENAME TO migration")
        await side.execute("ALTER TABLE gone RENAME TO job")
    assert (await found(database, job.id)).state is State.SUCCEEDED


async def test_an_outcome_waits_for_a_missing_right(
    migrated_dsn: str, side: Connection, events: Events, pieces: PieceStore
) -> None:
    role = f"process-{uuid4().hex}"
    await side.execute(f'CREATE ROLE "{role}" LOGIN')
    await migrate(migrated_dsn, roles=Roles(process=role))
    await side.execute(f'REVOKE INSERT ON summary FROM "{role}"')
    try:
        dsn = migrated_dsn.replace("//postgres@", f"//{role}@")
        async with Database(dsn) as database, asyncio.TaskGroup() as group:
            job = await submitted(database)
            processing = group.create_task(
                Processor(database, pieces, POLICY, ProcessMetrics(), patience=0).process(
                    batch(job.id)
                )
            )
            await until(waiting(events))
            assert not processing.done()
            await side.execute(f'GRANT INSERT ON summary TO "{role}"')
            await processing
            assert (await found(database, job.id)).state is State.SUCCEEDED
    finally:
        await side.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


async def test_an_outcome_that_alone_cannot_be_stored_is_not_waited_for_for_ever(
    migrated_dsn: str, side: Connection, pieces: PieceStore
) -> None:
    async with Database(migrated_dsn, deadline=0.4) as database:
        job = await submitted(database)
        async with side.transaction():
            await side.execute("SELECT FROM job WHERE id = $1 FOR UPDATE", job.id)
            with pytest.raises(StoreUnavailableError):
                await Processor(database, pieces, POLICY, ProcessMetrics(), patience=0).process(
                    batch(job.id)
                )
        assert (await found(database, job.id)).state is State.QUEUED
