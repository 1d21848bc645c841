"""Each cell of docs/operations/compromised-process.md is tried."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg
import pytest
import valkey_users
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from deploy.files import text
from mousetrap.queue import begun, circuits
from mousetrap.queue.stages import FETCH, PROCESS, STAGES, following
from mousetrap.queue.streams import DEAD, WAITING
from mousetrap.stack.servers import Servers
from mousetrap.store.database import Database
from mousetrap.store.jobs import JobChange
from mousetrap.store.notices import JOBS
from mousetrap.store.schema.grants import Roles
from mousetrap.store.schema.migrations import LOCK, migrate
from support.postgres import Connection
from support.samples import submitted
from support.valkey import command, parsed, users

PAGE: Final = Path("docs/operations/compromised-process.md")
PROCESSES: Final = ("api", "fetch", "process", "follow-up", "admin")
ALERT: Final = following("alert")
SHA1: Final = "0" * 40

Table = dict[str, dict[str, str]]
Commands = Sequence[Sequence[str]]

VALKEY: Final[Mapping[str, Commands]] = {
    "stop the server by a script that never ends": [
        ["EVAL", "return 1", "1", "KEY"],
        ["EVAL_RO", "return 1", "1", "KEY"],
        ["EVAL", "return 1", "0"],
        ["EVALSHA", SHA1, "1", "KEY"],
        ["EVALSHA_RO", SHA1, "0"],
        ["FCALL", "any", "0"],
        ["FUNCTION", "LOAD", "#!lua name=any"],
    ],
    "flush, configure, copy or stop the server": [
        ["FLUSHALL"],
        ["FLUSHDB"],
        ["CONFIG", "GET", "*"],
        ["ACL", "LIST"],
        ["SHUTDOWN"],
        ["SAVE"],
        ["REPLICAOF", "NO", "ONE"],
        ["PSYNC", "?", "-1"],
        ["MODULE", "LIST"],
        ["SCRIPT", "FLUSH"],
        ["FUNCTION", "FLUSH"],
    ],
    "see the commands or messages of others": [
        ["MONITOR"],
        ["KEYS", "*"],
        ["SCAN", "0"],
        ["CLIENT", "LIST"],
        ["SLOWLOG", "GET"],
        ["SUBSCRIBE", "any"],
    ],
    "make a key of the wrong type, which breaks everybody": [
        ["XADD", WAITING, "*", "data", "x"],
        ["ZADD", FETCH.key, "1", "x"],
        ["ZADD", PROCESS.key, "1", "x"],
        ["ZADD", DEAD, "1", "x"],
        ["SET", FETCH.key, "x"],
    ],
    "read requests": [
        ["XRANGE", FETCH.key, "-", "+"],
        ["XREADGROUP", "GROUP", "g", "me", "STREAMS", FETCH.key, ">"],
    ],
    "read batches": [
        ["XRANGE", PROCESS.key, "-", "+"],
        ["XREADGROUP", "GROUP", "g", "me", "STREAMS", PROCESS.key, ">"],
    ],
    "read dead letters": [["XRANGE", DEAD, "-", "+"]],
    "add requests": [["XADD", FETCH.key, "*", "data", "x"]],
    "add outcomes": [["XADD", PROCESS.key, "*", "data", "x"]],
    "add dead letters": [["XADD", DEAD, "*", "data", "x"]],
    "delete requests": [
        ["XADD", FETCH.key, "MAXLEN", "0", "*", "data", "x"],
        ["XDEL", FETCH.key, "1-1"],
        ["XTRIM", FETCH.key, "MAXLEN", "0"],
    ],
    "delete outcomes": [
        ["XADD", PROCESS.key, "MAXLEN", "0", "*", "data", "x"],
        ["XDEL", PROCESS.key, "1-1"],
        ["XTRIM", PROCESS.key, "MAXLEN", "0"],
    ],
    "delete dead letters that are not stored yet": [
        ["XADD", DEAD, "MAXLEN", "0", "*", "data", "x"],
        ["XDEL", DEAD, "1-1"],
    ],
    "delay jobs by pretending that they wait": [["ZADD", WAITING, "inf", "x/1"]],
    "say that a source fails, rests or is being asked": [
        ["HSET", circuits.KEY, "demo", "x"],
        ["HDEL", circuits.KEY, "demo"],
        ["SET", f"{circuits.PACE}demo", ""],
        ["SET", f"{begun.PREFIX}x", ""],
    ],
    "fill the memory": [["SCRIPT", "LOAD", "return 1"]],
}

_JOB: Final = "UPDATE job SET {} WHERE false"
POSTGRES: Final[Mapping[str, Sequence[str]]] = {
    "run a program or read a file of the server": [
        "COPY migration FROM PROGRAM 'id'",
        "COPY migration TO '/tmp/any'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT pg_ls_dir('.')",
        "SELECT lo_import('/etc/passwd')",
        "LOAD '/tmp/any.so'",
    ],
    "create tables, temporary tables, functions or large objects": [
        "CREATE TABLE any_table (a int)",
        "CREATE TEMP TABLE any_table (a int)",
        "CREATE SCHEMA any_schema",
        "CREATE FUNCTION any_function() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
    ],
    "become another role, or make one": [
        "SET ROLE mousetrap_owner",
        "SET SESSION AUTHORIZATION postgres",
        "CREATE ROLE any_role",
        "ALTER ROLE mousetrap_owner PASSWORD 'x'",
        "GRANT mousetrap_owner TO CURRENT_USER",
    ],
    "change its own password": ["ALTER ROLE CURRENT_USER PASSWORD 'x'"],
    "read jobs and summaries": ["SELECT * FROM job", "SELECT * FROM summary, batch"],
    "read dead letters": ["SELECT * FROM dead_letter"],
    "accept a job": ["INSERT INTO job (id, source) VALUES (gen_random_uuid(), 'demo')"],
    "insert a job that has ended already, or out of sequence": [
        "INSERT INTO job (id, source, state) VALUES (gen_random_uuid(), 'x', 'queued')",
        "INSERT INTO job (id, source, requested_at) VALUES (gen_random_uuid(), 'x', now())",
        "INSERT INTO job (id, source, sequence) OVERRIDING SYSTEM VALUE VALUES (NULL, 'x', 9)",
        "SELECT setval('job_sequence_seq', 1)",
    ],
    "end a job, or queue it again": [_JOB.format("state = 'failed'")],
    "change the source, the key or the sequence of a job": [
        _JOB.format("source = 'x'"),
        _JOB.format("idempotency_key = 'x'"),
        _JOB.format("sequence = DEFAULT"),
        _JOB.format("requested_at = now()"),
        _JOB.format("changed_at = now()"),
        _JOB.format("slot = now()"),
    ],
    "give the idempotency key of a caller another job": [
        "INSERT INTO joined_key SELECT * FROM joined_key WHERE false",
    ],
    "take the idempotency key of a caller away": ["DELETE FROM joined_key"],
    "insert a summary": [
        "INSERT INTO summary SELECT * FROM summary WHERE false",
    ],
    "change a summary or a batch": [
        "UPDATE summary SET document = NULL WHERE false",
        "UPDATE batch SET geojson = NULL WHERE false",
        "DELETE FROM summary WHERE false",
        "DELETE FROM batch WHERE false",
        "UPDATE batch_part SET names = NULL WHERE false",
        "DELETE FROM batch_part WHERE false",
        "TRUNCATE batch",
    ],
    "delete jobs with their summaries": ["DELETE FROM job"],
    "delete dead letters": ["DELETE FROM dead_letter"],
    "mark the work of a follow-up as done": ["UPDATE follow_up SET state = 'done'"],
    "hold the locks of jobs": ["SELECT FROM job FOR UPDATE"],
    "lock the whole table of jobs": ["LOCK TABLE job IN ACCESS EXCLUSIVE MODE"],
    "keep `migrate` waiting": [LOCK],
}
ELSEWHERE: Final = (
    "enter another database",
    "take the connections of others",
    "tell browsers of a change that never happened",
    "break its processes by settings of its role",
)
SETTINGS: Final = (
    "search_path = nowhere",
    "default_transaction_read_only = on",
    "transaction_timeout = 1",
)


def table(title: str) -> Table:
    """Return the cells of a section of the page by row and process."""
    section = PAGE.read_text("utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [re.split(r" ?\| ?", line)[1:-1] for line in section.splitlines() if line[:1] == "|"]
    assert rows[0][1:-1] == list(PROCESSES)
    return {row[0]: dict(zip(PROCESSES, row[1:], strict=False)) for row in rows[2:]}


async def allowed(url: str, commands: Commands, own: str) -> str:
    async with Redis.from_url(url, socket_timeout=5) as client:
        for words in commands:
            try:
                await command(client, *(own if it == "KEY" else it for it in words))
            except NoPermissionError:
                continue
            return "yes"
    return "no"


async def test_valkey(raw: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey_users, "STAGES", (*STAGES, ALERT))
    rules = parsed(valkey_users.text())
    names = {"api": "api", "fetch": "fetch", "process": "process", "follow-up": ALERT.name}
    own = {name: f"mousetrap:{user}" for name, user in names.items()} | {"api": FETCH.key}
    assert "user admin" not in text("valkey/users.acl")
    for key in (FETCH.key, PROCESS.key):
        await raw.xgroup_create(key, "g", mkstream=True)

    async with users(raw, redis_url, {user: rules[user] for user in names.values()}) as address:
        found = {
            row: {
                name: await allowed(address[user], commands, own[name])
                for name, user in names.items()
            }
            | {"admin": "-"}
            for row, commands in VALKEY.items()
        }
    await command(raw, "ACL", "LOG", "RESET")

    assert found == table("Valkey")


@pytest.fixture
async def dsns(servers: Servers) -> AsyncIterator[dict[str, str]]:
    """The DSN of each process, in a database made by deploy/postgres/roles.sql."""
    script = re.sub(r"^\\set .*\n", "", text("postgres/roles.sql"), flags=re.MULTILINE)
    script = re.sub(r":'(\w+)_password'", r"'\1'", script)
    first, second = script.split("\\connect mousetrap\n")
    superuser = await asyncpg.connect(servers.postgres_dsn, timeout=10, command_timeout=60)
    inside = None
    try:
        for statement in filter(str.strip, first.split(";\n")):
            await superuser.execute(statement)
        inside = await asyncpg.connect(servers.database("mousetrap"), timeout=10)
        await inside.execute(second)
        await inside.execute(second)  # it may run again
        dsn = servers.database("mousetrap").replace("//postgres@", "//{}@")
        roles = {it: f"mousetrap_{it}" for it in ("api", "process", "admin", "follow_up")}
        await migrate(dsn.format("mousetrap_owner"), roles=Roles(**roles))
        yield {it.replace("_", "-"): dsn.format(role) for it, role in roles.items()}
    finally:
        if inside is not None:
            await inside.close(timeout=10)
        await superuser.execute("DROP DATABASE IF EXISTS mousetrap WITH (FORCE)")
        for it in ("owner", "api", "process", "admin", "follow_up"):
            await superuser.execute(f"DROP ROLE IF EXISTS mousetrap_{it}")
        await superuser.close(timeout=10)


async def can(connection: Connection, statements: Sequence[str]) -> str:
    for statement in statements:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(statement)
        except asyncpg.InsufficientPrivilegeError:
            continue
        finally:
            await transaction.rollback()
        return "yes"
    return "no"


async def enters(dsn: str) -> str:
    for name in ("postgres", "template1"):
        with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
            connection = await asyncpg.connect(dsn.replace("/mousetrap?", f"/{name}?"), timeout=10)
            await connection.close(timeout=10)
            return "yes"
    return "no"


async def takes_all(connection: Connection) -> str:
    limits = await connection.fetchval(
        "SELECT array_agg(rolconnlimit) FROM pg_roles WHERE rolname ~ '^mousetrap_'"
    )
    # As in deploy/production.yaml, less those that Postgres keeps for the superuser.
    return "no" if min(limits) > 0 and sum(limits) <= 100 - 3 else "yes"


async def lies(connection: Connection, dsns: Mapping[str, str]) -> str:
    heard: list[JobChange] = []
    async with Database(dsns["api"]) as database:
        listening, told = asyncio.Event(), asyncio.Event()

        def hear(notice: object) -> None:
            if isinstance(notice, JobChange):
                heard.append(notice)
                told.set()

        database.notices.subscribe(hear)
        watching = asyncio.create_task(database.notices.watch(listening.set))
        async with asyncio.timeout(20):
            await listening.wait()
            for job_id in (uuid4(), uuid4()):
                forged = {"job_id": str(job_id), "state": "succeeded", "sequence": 1}
                now = (await connection.fetchval("SELECT now()")).isoformat()
                said = json.dumps(forged | {"changed_at": now, "requested_at": now, "source": "x"})
                await connection.execute("SELECT pg_notify($1, $2)", JOBS, said)
            job = await submitted(database)
            while job not in [it.job for it in heard]:
                told.clear()
                await told.wait()
        watching.cancel()
        true = [await database.jobs.find(it.job.id) == it.job for it in heard]
    return "no" if all(true) else "yes"


async def breaks(connection: Connection, dsn: str) -> str:
    for setting in SETTINGS:
        await connection.execute(f"ALTER ROLE CURRENT_USER SET {setting}")
    try:
        async with Database(dsn) as database:
            await database.ping()
            return "no"
    finally:
        await connection.execute("ALTER ROLE CURRENT_USER RESET ALL")


async def test_postgres(dsns: dict[str, str]) -> None:
    found: Table = {row: {"fetch": "-"} for row in (*POSTGRES, *ELSEWHERE)}
    for name, dsn in dsns.items():
        connection = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
        for row, statements in POSTGRES.items():
            found[row][name] = await can(connection, statements)
        cells = await enters(dsn), await takes_all(connection), await lies(connection, dsns)
        for row, cell in zip(ELSEWHERE, (*cells, await breaks(connection, dsn)), strict=True):
            found[row][name] = cell
        await connection.close(timeout=10)

    assert found == table("Postgres")
    assert (
        "postgres_dsn"
        not in text("production.yaml").split("\n  fetch-worker:")[1].split("\n  process-worker:")[0]
    )
