"""The API's role may INSERT and SELECT jobs, SELECT summaries and batches, and nothing else."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from mousetrap.store.database import Database
from store.samples import submitted, succeeded
from store.side import Connection


@pytest.fixture
async def api_dsn(migrated_dsn: str, side: Connection) -> AsyncIterator[str]:
    role = f"api_{uuid4().hex}"
    await side.execute(f"""
        CREATE ROLE {role} LOGIN;
        GRANT SELECT, INSERT ON job TO {role};
        GRANT SELECT ON summary, batch TO {role}
    """)
    yield migrated_dsn.replace("//postgres@", f"//{role}@")
    await side.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_the_api_needs_no_more_than_its_role_has(migrated_dsn: str, api_dsn: str) -> None:
    async with Database(migrated_dsn) as database:
        done = await succeeded(database)
    async with Database(api_dsn) as database:
        await database.ping()
        job = (await database.jobs.submit("demo", "key")).job
        assert (await database.jobs.submit("demo", "key")).job == job
        assert await database.jobs.find(job.id) == job
        assert len(await database.jobs.page(limit=10)) == 2
        assert await database.summaries.newest("demo")
        assert await database.summaries.newest_of_all(["demo"])
        assert await database.summaries.find(done.id)
        assert await database.summaries.page(limit=10)
        assert await database.summaries.points(done.id)


async def test_the_role_cannot_end_a_job(api_dsn: str) -> None:
    async with Database(api_dsn) as database:
        job = await submitted(database)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await succeeded(database)
        assert await database.jobs.find(job.id) == job
