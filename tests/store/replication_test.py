"""Commits that wait for a synchronous standby which is away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from uuid import UUID

import pytest

from mousetrap.jobs.job import Job
from mousetrap.jobs.state import State
from mousetrap.store.database import Database
from mousetrap.store.errors import OutcomeUnknownError, StoreUnavailableError
from mousetrap.store.jobs import Submission
from mousetrap.store.schema.migrations import migrate
from support.postgres import Connection, until
from support.replicas import Pair, connected, pair
from support.samples import fail

WAIT = "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')"
END = "SELECT {}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
STORED = "SELECT count(*) FROM job WHERE id = $1"

type Submit = Callable[[Database], Awaitable[object]]


@pytest.fixture(scope="module")
def servers_of_two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(tmp_path_factory.mktemp("pair")) as running:
        yield running


@pytest.fixture
async def two(servers_of_two: Pair) -> Pair:
    """A primary that waits for its standby, and has no jobs."""
    await migrate(servers_of_two.primary_dsn)
    await servers_of_two.wait_for_standby(synchronous=True)
    async with connected(servers_of_two.primary_dsn) as operator:
        await operator.execute("TRUNCATE job CASCADE")
    return servers_of_two


@pytest.fixture
async def operator(two: Pair) -> AsyncIterator[Connection]:
    async with connected(two.primary_dsn) as connection:
        yield connection


@pytest.fixture
async def database(two: Pair) -> AsyncIterator[Database]:
    async with Database(two.primary_dsn, deadline=2.0) as found:
        yield found


async def keyless(database: Database) -> object:
    return await database.jobs.submit("demo")


async def keyed(database: Database) -> object:
    return await database.jobs.submit("demo", "tuesday")


async def coalesced(database: Database) -> object:
    return await database.coalescing.submit("demo", None, begun=(), floor=0, may_accept=True)


async def failed(database: Database) -> Job:
    job = (await database.jobs.submit("demo")).job
    await fail(database, job.id)
    return job


@pytest.fixture
async def away(two: Pair) -> AsyncIterator[None]:
    await two.kill_standby()
    yield
    two.start_standby()


async def let_go(operator: Connection, doing: Awaitable[object], end: str) -> UUID:
    """End the wait for the standby; return the job of which it is not known whether it is safe."""
    waiting = asyncio.ensure_future(doing)
    await until(operator, WAIT)
    await operator.execute(END.format(end))
    with pytest.raises(OutcomeUnknownError) as caught:
        await waiting
    return caught.value.job_id


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize("end", ["pg_terminate_backend", "pg_cancel_backend"])
@pytest.mark.parametrize("submit", [keyless, keyed, coalesced])
async def test_a_job_that_an_operator_lets_go_may_be_stored(
    database: Database, operator: Connection, submit: Submit, end: str
) -> None:
    job_id = await let_go(operator, submit(database), end)

    assert await operator.fetchval(STORED, job_id) == 1


@pytest.mark.usefixtures("away")
async def test_a_role_that_wants_no_warnings_gets_this_one(two: Pair, operator: Connection) -> None:
    await operator.execute("SET synchronous_commit = local")
    await operator.execute("ALTER ROLE CURRENT_USER SET client_min_messages = error")
    try:
        async with Database(two.primary_dsn, deadline=2.0) as database:
            await let_go(operator, keyless(database), "pg_cancel_backend")
    finally:
        await operator.execute("ALTER ROLE CURRENT_USER RESET client_min_messages")


@pytest.mark.parametrize("end", ["pg_terminate_backend", "pg_cancel_backend"])
async def test_a_retry_that_an_operator_lets_go_may_be_done(
    two: Pair, database: Database, operator: Connection, end: str
) -> None:
    job = await failed(database)
    await two.kill_standby()
    try:
        assert await let_go(operator, database.jobs.retry(job.id), end) == job.id

        after = await database.jobs.find(job.id)
    finally:
        two.start_standby()
    assert after is not None
    assert after.state is State.QUEUED


@pytest.mark.parametrize("again", [keyed, coalesced])
async def test_a_job_that_is_found_is_accepted_when_the_standby_has_it(
    two: Pair, database: Database, operator: Connection, again: Submit
) -> None:
    await two.kill_standby()
    job_id = await let_go(operator, keyed(database), "pg_cancel_backend")
    with pytest.raises(OutcomeUnknownError):
        await again(database)

    two.start_standby()
    await two.wait_for_standby(synchronous=True)

    found = await again(database)
    assert isinstance(found, Submission)
    assert found.job.id == job_id
    assert not found.created
    async with connected(two.standby_dsn) as standby:
        assert await standby.fetchval(STORED, job_id) == 1


@pytest.mark.usefixtures("away")
async def test_nothing_is_ready_while_commits_wait(database: Database) -> None:
    with pytest.raises(StoreUnavailableError):
        await database.ping()


async def test_any_role_may_wait_for_the_standby(operator: Connection) -> None:
    function = "pg_logical_emit_message(boolean, text, text, boolean)"
    may = "SELECT has_function_privilege('nobody', $1, 'EXECUTE')"
    await operator.execute("CREATE ROLE nobody")

    assert await operator.fetchval(may, function)
