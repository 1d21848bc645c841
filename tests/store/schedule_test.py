"""Jobs that a schedule asks for: one a slot, however many ask."""

import asyncio
from datetime import timedelta

from mousetrap.jobs.state import State
from mousetrap.store.database import Database
from support.postgres import Connection
from support.samples import submitted, succeed

HOUR = 3600.0
BACK_TO_THE_SLOT_BEFORE = "UPDATE job SET slot = slot - interval '1 hour'"


async def test_a_slot_has_one_job_however_many_ask(database: Database) -> None:
    asked = await asyncio.gather(*(database.schedule.submit({"demo": HOUR}) for _ in range(20)))

    [job] = [job for jobs in asked for job in jobs]
    assert job.slot
    assert job.slot.timestamp() % HOUR == 0
    assert timedelta(0) <= job.requested_at - job.slot < timedelta(seconds=HOUR)
    assert await database.jobs.page(limit=10) == [job]


async def test_a_slot_stays_taken_when_its_job_has_ended(database: Database) -> None:
    [job] = await database.schedule.submit({"demo": HOUR})
    await succeed(database, job.id)

    assert await database.schedule.submit({"demo": HOUR}) == []


async def test_the_next_slot_has_a_job_of_its_own(database: Database, side: Connection) -> None:
    [first] = await database.schedule.submit({"demo": HOUR})
    await succeed(database, first.id)
    await side.execute(BACK_TO_THE_SLOT_BEFORE)

    [second] = await database.schedule.submit({"demo": HOUR})

    assert second.slot == first.slot


async def test_slots_that_were_missed_collapse_into_one(
    database: Database, side: Connection
) -> None:
    [waiting] = await database.schedule.submit({"demo": HOUR})
    for _ in range(3):
        await side.execute(BACK_TO_THE_SLOT_BEFORE)
        assert await database.schedule.submit({"demo": HOUR}) == []

    assert [job.id for job in await database.jobs.page(limit=10)] == [waiting.id]


async def test_a_job_that_a_caller_asked_for_takes_no_slot(database: Database) -> None:
    asked = await submitted(database)

    [scheduled] = await database.schedule.submit({"demo": HOUR})

    assert (asked.slot, asked.state) == (None, State.QUEUED)
    assert scheduled.id != asked.id


async def test_every_source_has_slots_of_its_own(database: Database) -> None:
    jobs = await database.schedule.submit({"demo": HOUR, "earthquakes": HOUR})

    assert {job.source for job in jobs} == {"demo", "earthquakes"}
    assert await database.schedule.submit({}) == []
