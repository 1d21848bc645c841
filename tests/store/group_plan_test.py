"""The rows that Postgres reads for outcomes that are stored together."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from mousetrap.store.database import Database
from mousetrap.store.outcomes import Change
from support.postgres import Connection, plan, queue_again, scans, statements
from support.samples import fail, several, succeed

JOBS = 30
SMALL = 300
LARGE = 5000
KEPT = 8
"""Postgres keeps the plan of a statement that it was sent so often, whatever comes then."""

QUEUE = """
INSERT INTO job (id, source) SELECT gen_random_uuid(), 'demo' FROM generate_series(1, $1::integer)
"""


@pytest.mark.parametrize("end", [succeed, fail])
@pytest.mark.parametrize("generic", [True, False])
@pytest.mark.parametrize("known", [True, False])
async def test_a_group_costs_what_is_in_it_however_long_the_queue_is(  # noqa: PLR0913 - each is a case
    database: Database,
    side: Connection,
    monkeypatch: pytest.MonkeyPatch,
    *,
    known: bool,
    generic: bool,
    end: Callable[[Database, UUID], Awaitable[Change]],
) -> None:
    await side.execute("ANALYZE job")
    jobs = await several(database, JOBS)
    await side.execute(QUEUE, LARGE)
    if known:  # to the planner
        await side.execute("ANALYZE job")
    sent = statements(monkeypatch)

    assert await asyncio.gather(*(end(database, job) for job in jobs)) == [Change.ENDED] * JOBS

    for query, args in sent:
        await queue_again(side, jobs)  # else there is nothing left to change
        for scan in scans(await plan(side, query, args, generic=generic), "job"):
            read = scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)
            assert read * scan["Actual Loops"] <= JOBS


@pytest.mark.parametrize("end", [succeed, fail])
async def test_a_plan_that_was_made_for_a_small_table_serves_a_large_one(
    database: Database, side: Connection, end: Callable[[Database, UUID], Awaitable[Change]]
) -> None:
    async def group() -> None:
        jobs = await several(database, JOBS)
        assert await asyncio.gather(*(end(database, job) for job in jobs)) == [Change.ENDED] * JOBS

    async def read_without_index() -> int:
        await database.engine.fetch("SELECT pg_stat_force_next_flush()")
        read: int = await side.fetchval(
            "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'job'"
        )
        return read

    await side.execute(QUEUE, SMALL)
    for _ in range(KEPT):
        await group()
    await side.execute(QUEUE, LARGE)
    before = await read_without_index()

    await group()

    assert await read_without_index() == before


async def test_no_statement_is_planned_for_its_values(database: Database, side: Connection) -> None:
    await side.execute(QUEUE, LARGE)
    await side.execute("ANALYZE job")

    for job in await several(database, KEPT):
        assert await succeed(database, job) is Change.ENDED

    [found] = await database.engine.fetch(
        "SELECT sum(custom_plans) AS anew, sum(generic_plans) AS kept FROM pg_prepared_statements"
    )
    assert found["anew"] == 0
    assert found["kept"] >= KEPT
