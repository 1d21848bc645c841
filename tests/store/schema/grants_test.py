"""Each role may do what its process does, and nothing else."""

import asyncio
import contextlib
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import asyncpg
import pytest

from mousetrap.store import session
from mousetrap.store.database import Database
from mousetrap.store.errors import AccessError, UnknownRoleError
from mousetrap.store.follow_ups import FollowUpSending
from mousetrap.store.leases import Sending
from mousetrap.store.schema.grants import Roles
from mousetrap.store.schema.migrations import migrate
from support import samples
from support.postgres import Connection
from support.samples import FAILURE, LETTER, POLICY, fail, submitted, succeed, succeeded

TABLES = (
    "job",
    "joined_key",
    "attempt",
    "summary",
    "batch",
    "batch_part",
    "dead_letter",
    "follow_up",
    "migration",
)
PROCESSES = ("api", "process", "admin", "follow_up")
COLUMNS = """
SELECT table_name AS "table", column_name AS "column" FROM information_schema.columns
WHERE table_schema = 'public'
"""
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


@pytest.fixture
async def roles(postgres_dsn: str, side: Connection) -> AsyncIterator[Roles]:
    made = Roles(*(f"{process}-{uuid4().hex}" for process in PROCESSES))
    names = [f'"{name}"' for name in (made.api, made.process, made.admin, made.follow_up)]
    for name in names:
        await side.execute(f"CREATE ROLE {name} LOGIN")
    await migrate(postgres_dsn, roles=made)
    yield made
    for name in names:
        await side.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def as_role(dsn: str, role: str) -> str:
    return dsn.replace("//postgres@", f"//{role}@")


async def rights(side: Connection, role: str) -> set[str]:
    return {
        f"{right} {table}"
        for table, right in itertools.product(TABLES, RIGHTS)
        if await side.fetchval("SELECT has_table_privilege($1, $2, $3)", role, table, right)
    }


async def columns(side: Connection, role: str) -> dict[str, set[str]]:
    """Return what a role may set in a new or in an old row of each table."""
    found = defaultdict(set)
    for right, row in itertools.product(("INSERT", "UPDATE"), await side.fetch(COLUMNS)):
        table, column = row["table"], row["column"]
        if await side.fetchval(
            "SELECT has_column_privilege($1, $2, $3, $4)", role, table, column, right
        ):
            found[f"{right} {table}"].add(column)
    return dict(found)


async def test_roles_have_these_rights_on_whole_tables(side: Connection, roles: Roles) -> None:
    read = {f"SELECT {table}" for table in TABLES}

    assert await rights(side, roles.api) == read - {"SELECT follow_up"} | {"INSERT joined_key"}
    assert await rights(side, roles.process) == read | {
        *("DELETE job", "DELETE joined_key", "DELETE dead_letter", "INSERT summary"),
    }
    assert await rights(side, roles.admin) == read
    assert await rights(side, roles.follow_up) == {"SELECT follow_up", "SELECT migration"}


async def test_roles_set_these_columns_and_no_others(side: Connection, roles: Roles) -> None:
    ends = {"state", "attempts", "sent", "due_at", "fetched_at", "finished_at"}
    error = {"error_code", "error_detail"}
    follows = {"state", "attempts", "failures", "sent", "due_at"} | error
    every = {row["column"] for row in await side.fetch(COLUMNS) if row["table"] == "summary"}

    assert await columns(side, roles.api) == {
        "INSERT job": {"id", "source", "idempotency_key", "due_at"},
        "INSERT joined_key": {"idempotency_key", "job_id"},
        "UPDATE job": ends | error | {"attempts_before", "retries"},
    }
    assert await columns(side, roles.process) == {
        "INSERT job": {"id", "source", "slot", "due_at"},
        "UPDATE job": ends | error,
        "INSERT attempt": {"job_id", "number", "failed_at"} | error,
        "INSERT summary": every,
        "INSERT batch": {"job_id", "geojson"},
        "INSERT batch_part": {
            *("job_id", "number", "latitudes", "longitudes", "names", "ids", "groups", "values"),
        },
        "INSERT dead_letter": {
            *("queue", "entry_id", "reason", "deliveries", "size", "body", "job_id"),
        },
        "INSERT follow_up": {"job_id", "stage"},
        "UPDATE follow_up": follows,
    }
    assert await columns(side, roles.follow_up) == {"UPDATE follow_up": follows}
    assert await columns(side, roles.admin) == {}


async def test_a_right_that_a_role_has_lost_is_taken_away(
    postgres_dsn: str, side: Connection, roles: Roles
) -> None:
    before = await rights(side, roles.api)
    await side.execute(f'GRANT DELETE ON job, summary, batch TO "{roles.api}"')

    assert await migrate(postgres_dsn, roles=roles) == []

    assert await rights(side, roles.api) == before


async def test_an_older_version_leaves_the_rights_that_a_later_one_gave(
    postgres_dsn: str, side: Connection, roles: Roles
) -> None:
    await side.execute(
        "INSERT INTO migration (name, app_name) VALUES ('2999-01-01T00:00:00:000000', 'mousetrap')"
    )
    await side.execute(f'GRANT DELETE ON summary TO "{roles.process}"')
    before = await rights(side, roles.process)

    assert await migrate(postgres_dsn, roles=roles) == []

    assert await rights(side, roles.process) == before


async def test_one_role_may_be_that_of_several_processes(
    postgres_dsn: str, side: Connection, roles: Roles
) -> None:
    await migrate(postgres_dsn, roles=Roles(api=roles.api, process=roles.api))

    assert await rights(side, roles.api) >= {"DELETE job", "INSERT summary"}
    assert {"slot", "idempotency_key"} <= (await columns(side, roles.api))["INSERT job"]


async def test_the_owner_of_the_tables_keeps_its_rights(
    postgres_dsn: str, side: Connection
) -> None:
    owner = await side.fetchval("SELECT current_user")

    await migrate(postgres_dsn, roles=Roles(api=owner, process=owner))

    assert await side.fetchval("SELECT relacl FROM pg_class WHERE relname = 'job'") is None


async def test_a_role_that_does_not_exist_is_named_and_nothing_is_done(
    postgres_dsn: str, side: Connection
) -> None:
    with pytest.raises(UnknownRoleError, match=r'"nobody-here".*create it'):
        await migrate(postgres_dsn, roles=Roles(api="nobody-here"))

    assert await side.fetchval("SELECT to_regclass('job')") is None


async def test_the_api_needs_no_more_than_its_role_has(postgres_dsn: str, roles: Roles) -> None:
    async with Database(postgres_dsn) as database:
        done, failed = await succeeded(database), await submitted(database)
        await fail(database, failed.id)
    async with Database(as_role(postgres_dsn, roles.api)) as database:
        await database.ping()
        job = (await database.jobs.submit("demo", "key")).job
        assert (await database.jobs.submit("demo", "key")).job == job
        assert await database.jobs.find(job.id) == job
        assert len(await database.jobs.page(limit=10)) == 3
        assert await database.jobs.backlog(10) == {"demo": 1}
        assert (await database.jobs.retry(failed.id)).attempts == 2
        assert len(await database.jobs.failed_attempts(failed.id)) == 1
        assert len(await database.jobs.changes((job.requested_at, job.id), limit=10)) == 2
        assert await database.dead_letters.page(limit=10) == []
        assert await database.summaries.newest("demo")
        assert await database.summaries.newest_of_all(["demo"])
        assert await database.summaries.find(done.id)
        assert await database.summaries.page(limit=10)
        assert await samples.points(database, done.id)


async def test_the_api_cannot_end_a_job(postgres_dsn: str, roles: Roles) -> None:
    async with Database(as_role(postgres_dsn, roles.api)) as database:
        job = await submitted(database)
        with pytest.raises(AccessError, match=r"permission denied.*grant the role its rights"):
            await succeeded(database)
        assert await database.jobs.find(job.id) == job


async def test_the_process_worker_needs_no_more_than_its_role_has(
    postgres_dsn: str, roles: Roles
) -> None:
    async with Database(postgres_dsn) as database:
        first, second = await submitted(database), await submitted(database)
    async with Database(
        as_role(postgres_dsn, roles.process), lease=0, followed_by=["alert"]
    ) as database:
        await database.ping()
        await succeed(database, first.id)
        async with database.follow_ups.due("alert", 10) as follow_ups:
            [follow_up] = follow_ups.follow_ups
            await follow_ups.look_later([first.id], 1)
            await follow_ups.send([FollowUpSending(follow_up, 2, 1)])
        assert await database.follow_ups.count("alert", "queued") == 1
        await fail(database, second.id)
        await database.schedule.submit({"demo": 3600})
        async with database.leases.due(10) as claim:
            [job] = claim.jobs
            await claim.look_later([job.id], 1)
            await claim.send([Sending(job.id, job.source, job.attempt + 1, 1, job.requested_at)])
            await claim.lose([job.id], FAILURE)
            await claim.give_up([job.id], FAILURE)
        await database.dead_letters.keep([LETTER])
        assert await database.retention.delete(older_than=0, limit=10) == 3


async def test_a_stage_that_follows_summaries_needs_no_more_than_its_role_has(
    postgres_dsn: str, roles: Roles
) -> None:
    async with Database(postgres_dsn, followed_by=["alert"]) as database:
        job = await succeeded(database)
    async with Database(as_role(postgres_dsn, roles.follow_up)) as database:
        await database.ping()
        assert await database.follow_ups.is_wanted(job.id, "alert", attempt=1)
        await database.follow_ups.failed(
            job.id, "alert", FAILURE, attempt=1, retryable=True, policy=POLICY
        )
        assert await database.follow_ups.done(job.id, "alert")


async def test_the_process_worker_cannot_change_a_summary(
    postgres_dsn: str, side: Connection, roles: Roles
) -> None:
    async with Database(postgres_dsn) as database:
        await succeeded(database)
    await side.execute(f'SET ROLE "{roles.process}"')
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await side.execute("UPDATE summary SET point_count = 7")
    await side.execute("RESET ROLE")


@pytest.mark.parametrize(
    ("setting", "safe"),
    [
        ("synchronous_commit", "on"),
        ("exit_on_error", "off"),
        *((f"enable_{it}", "on") for it in ("indexscan", "indexonlyscan", "bitmapscan")),
    ],
)
async def test_no_setting_of_a_role_weakens_its_processes(
    postgres_dsn: str, roles: Roles, setting: str, safe: str
) -> None:
    own = await asyncpg.connect(as_role(postgres_dsn, roles.api), timeout=10, command_timeout=30)
    other = {"on": "off", "off": "on"}[safe]
    await own.execute(f"ALTER ROLE CURRENT_USER SET {setting} = {other}")
    await own.close(timeout=10)

    async with Database(as_role(postgres_dsn, roles.api)) as database:
        [row] = await database.engine.fetch("SELECT current_setting($1)", setting)
    assert row["current_setting"] == safe


@pytest.mark.parametrize(
    "setting",
    [
        *("search_path = nowhere", "default_transaction_read_only = on"),
        *("default_transaction_isolation = serializable", "local_preload_libraries = nothing"),
        *("statement_timeout = 1", "lock_timeout = 1", "idle_session_timeout = 1"),
        *("idle_in_transaction_session_timeout = 1", "client_encoding = latin1"),
        *("transaction_timeout = 1", "role = postgres"),
        *("timezone = 'Asia/Kathmandu'", "datestyle = 'SQL, DMY'"),
        *("bytea_output = escape", "extra_float_digits = -15", "application_name = nobody"),
    ],
)
async def test_no_setting_of_a_role_breaks_its_processes(
    postgres_dsn: str, side: Connection, roles: Roles, setting: str
) -> None:
    own = await asyncpg.connect(as_role(postgres_dsn, roles.api), timeout=10, command_timeout=30)
    await own.execute(f"ALTER ROLE CURRENT_USER SET {setting}")
    await own.close(timeout=10)

    await assert_works(as_role(postgres_dsn, roles.api), side)


async def test_no_setting_that_the_server_leaves_to_roles_breaks_processes(
    postgres_dsn: str, side: Connection, roles: Roles
) -> None:
    settings = await side.fetch("SELECT * FROM pg_settings WHERE context = 'user'")
    cycles = [itertools.cycle(extremes(it)) for it in settings]
    for _ in range(5):
        for setting, values in zip(settings, cycles, strict=True):
            change = f"ALTER ROLE \"{roles.api}\" SET {setting['name']} = '{next(values)}'"
            # The server refuses some values, for reasons of its own.
            with contextlib.suppress(
                asyncpg.InvalidParameterValueError, asyncpg.ActiveSQLTransactionError
            ):
                await side.execute(change)
        await assert_works(as_role(postgres_dsn, roles.api), side)


async def test_a_server_that_lacks_a_newer_setting_is_served(
    postgres_dsn: str, side: Connection, roles: Roles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "NEWER", {"not_yet_known": "0"})
    await assert_works(as_role(postgres_dsn, roles.api), side)


def extremes(setting: asyncpg.Record) -> Iterator[str]:
    """Return values of a setting that are as far as possible from its default."""
    default = setting["boot_val"]
    match setting["vartype"]:
        case "bool":
            yield "off" if default == "on" else "on"
        case "enum":
            yield from [it for it in setting["enumvals"] if it != default] or [default]
        case "string":
            yield "nowhere"
        case _:
            # The least of many a time limit is none.
            yield from (setting["min_val"], "1", setting["max_val"])


async def assert_works(dsn: str, side: Connection) -> None:
    async with Database(dsn) as database:
        heard = asyncio.Event()
        watching = asyncio.create_task(database.notices.watch(heard.set))
        job = (await database.jobs.submit("d\xe9mo", f"k\xe9y {uuid4()}")).job
        await asyncio.sleep(0.01)  # longer than the timeouts
        assert await database.jobs.find(job.id) == job
        assert await side.fetchval("SELECT source FROM job") == "d\xe9mo"
        async with asyncio.timeout(10):
            await heard.wait()
        watching.cancel()
