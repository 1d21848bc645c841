"""Roles: the rights of a compromised process with its own accounts."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import asyncpg
import redis

from attack.case import Act, Attack, Kind
from attack.errors import NotHeldError
from attack.target import Target

POSTGRES: Final = ("api", "process", "follow_up", "admin")
VALKEY: Final = ("api", "fetch", "process", "health")

REFUSED: Final = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.UndefinedFunctionError,
    asyncpg.FeatureNotSupportedError,
)

OTHERS_END: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename IS DISTINCT FROM current_user AND usename IS NOT NULL
"""

STATEMENTS: Final[Mapping[str, tuple[str, str]]] = {
    "make a table": ("CREATE TABLE odd (a int)", ""),
    "make a schema": ("CREATE SCHEMA odd", ""),
    "make a temporary table": ("CREATE TEMP TABLE odd (a int)", "L1"),
    "make a function": (
        "CREATE FUNCTION odd() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "",
    ),
    "make a role": ("CREATE ROLE odd", ""),
    "make an extension": ("CREATE EXTENSION dblink", ""),
    "become the owner": ("SET ROLE mousetrap_owner", ""),
    "become the superuser": ("SET SESSION AUTHORIZATION postgres", ""),
    "run a program": ("COPY job TO PROGRAM 'cat'", "L8"),
    "read a file": ("SELECT pg_read_file('/etc/passwd')", "L8"),
    "write a file": ("COPY (SELECT 1) TO '/tmp/odd'", "L8"),
    "list a folder": ("SELECT pg_ls_dir('/')", "L8"),
    "read passwords": ("SELECT rolpassword FROM pg_authid", ""),
    "write a large object": ("SELECT lo_from_bytea(0, 'odd')", "L1"),
    "import a file as a large object": ("SELECT lo_import('/etc/passwd')", "L1"),
    "empty a table": ("TRUNCATE job", ""),
    "drop a table": ("DROP TABLE summary", ""),
    "change a table": ("ALTER TABLE job ADD COLUMN odd int", ""),
    "disable a trigger": ("ALTER TABLE job DISABLE TRIGGER ALL", ""),
    "skip triggers": ("SET session_replication_role = replica", ""),
    "rewrite summaries": ("UPDATE summary SET document = document", ""),
    "delete batches": ("DELETE FROM batch", ""),
    "write migrations": ("DELETE FROM migration", ""),
    "change the server": ("ALTER SYSTEM SET work_mem = '1GB'", ""),
    "reload the server": ("SELECT pg_reload_conf()", ""),
    "end the sessions of others": (
        OTHERS_END,
        "",
    ),
}
"""SQL that no process needs, and the row of the threat table."""

TRIMMED: Final = 10
"""The number of jobs whose messages a user trims."""

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "empty the database": ("FLUSHALL",),
    "read the configuration": ("CONFIG", "GET", "*"),
    "change the configuration": ("CONFIG", "SET", "maxmemory", "1mb"),
    "list keys": ("KEYS", "*"),
    "scan keys": ("SCAN", "0"),
    "end the server": ("SHUTDOWN", "NOSAVE"),
    "make a user": ("ACL", "SETUSER", "odd", "on", "nopass", "~*", "+@all"),
    "list users": ("ACL", "LIST"),
    "watch others": ("MONITOR",),
    "list clients": ("CLIENT", "LIST"),
    "end the connections of others": ("CLIENT", "KILL", "TYPE", "normal"),
    "pause the server": ("CLIENT", "PAUSE", "10000"),
    "delete the process stream": ("DEL", "mousetrap:process"),
    "delete the fetch stream": ("DEL", "mousetrap:fetch"),
    "replace a stream": ("SET", "mousetrap:process", "odd"),
    "rename a stream": ("RENAME", "mousetrap:process", "odd"),
    "write another key": ("SET", "odd", "1"),
    "let a stream expire": ("EXPIRE", "mousetrap:process", "1"),
    "trim a stream": ("XTRIM", "mousetrap:process", "MAXLEN", "0"),
    "destroy a group": ("XGROUP", "DESTROY", "mousetrap:process", "workers"),
    "copy the database": ("REPLICAOF", "127.0.0.1", "1"),
    "read as a replica": ("PSYNC", "?", "-1"),
    "debug the server": ("DEBUG", "SLEEP", "1"),
    "load a module": ("MODULE", "LOAD", "/odd.so"),
    "load a library": ("FUNCTION", "LOAD", "#!lua name=odd\nredis.register_function('o', print)"),
    "forget scripts": ("SCRIPT", "FLUSH"),
    "write to disk": ("SAVE",),
    "publish": ("PUBLISH", "odd", "1"),
    "read the slow log": ("SLOWLOG", "GET"),
    "swap databases": ("SWAPDB", "0", "1"),
}
"""Commands that no process needs."""


def attacks() -> Iterator[Attack]:
    """Yield all attacks of this kind."""
    for role in POSTGRES:
        for name, (statement, finding) in STATEMENTS.items():
            if not _may(role, name):
                yield _attack(f"Postgres, {role}: {name}", finding, _sql(role, statement))
        for database in ("postgres", "template1"):
            yield _attack(f"Postgres, {role}: enter {database}", "L1", _enters(role, database))
        yield _attack(f"Postgres, {role}: change its own search_path", "L1", _search_path(role))
        yield _attack(f"Postgres, {role}: take all connections", "L1", _crowd(role))
    for user in VALKEY:
        for name, command in COMMANDS.items():
            yield _attack(f"Valkey, {user}: {name}", "", _command(user, command))
        if user != "health":
            yield _attack(f"Valkey, {user}: XADD with MAXLEN 0", "L3", _trims(user))
            yield _attack(f"Valkey, {user}: a script without end", "M4", _loops(user))


def _attack(name: str, finding: str, act: Act) -> Attack:
    return Attack(Kind.ROLES, name, finding, act, seconds=90)


def _may(role: str, name: str) -> bool:
    """Tell what a role needs for its work."""
    return role == "process" and name == "rewrite summaries"


def _sql(role: str, statement: str) -> Act:
    async def act(target: Target) -> None:
        async with target.system.database(role) as database:
            try:
                found = await _rolled_back(database, statement)
            except REFUSED:
                return
            except asyncpg.PostgresError as error:
                raise NotHeldError(f"it fails only because {error}") from error
            if statement != OTHERS_END or any(row[0] for row in found):
                raise NotHeldError("it is allowed")

    return act


async def _rolled_back(database: Any, statement: str) -> Any:
    if statement.startswith("ALTER SYSTEM"):  # it has no transaction
        return await database.fetch(statement)
    transaction = database.transaction()
    await transaction.start()
    try:
        return await database.fetch(statement)
    finally:
        await transaction.rollback()


def _enters(role: str, database: str) -> Act:
    async def act(target: Target) -> None:
        try:
            async with target.system.database(role, database):
                raise NotHeldError("it is allowed")
        except REFUSED:
            return

    return act


def _search_path(role: str) -> Act:
    """Postgres lets a role change its own settings; a process must not depend on them."""

    async def act(target: Target) -> None:
        system = target.system
        async with system.database(role) as database:
            try:
                await database.execute("ALTER ROLE CURRENT_USER SET search_path = odd")
            except REFUSED:
                return
        try:
            async with system.database() as database:
                await database.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1",
                    f"mousetrap_{role}",
                )
            await asyncio.sleep(1)
            answer = await target.ask("GET /jobs")
            if answer.status != 200:
                raise NotHeldError(f"GET /jobs is answered {answer.status}")
            job = await system.job("demo")
            if job["state"] != "succeeded":
                raise NotHeldError(f"a job has {job['state']}")
        finally:
            async with system.database() as database:
                await database.execute(f"ALTER ROLE mousetrap_{role} RESET search_path")

    return act


def _crowd(role: str) -> Act:
    async def act(target: Target) -> None:
        system = target.system
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(95):
                try:
                    await stack.enter_async_context(system.database(role))
                except (asyncpg.TooManyConnectionsError, asyncpg.PostgresError, OSError):
                    break
            else:
                raise NotHeldError("it has 95 connections")
            with contextlib.suppress(asyncpg.PostgresError):
                async with system.database("process" if role != "process" else "api"):
                    return
            raise NotHeldError("another role gets no connection")

    return act


def _command(user: str, words: tuple[str, ...]) -> Act:
    async def act(target: Target) -> None:
        async with target.system.queue(user) as queue:
            client: Any = queue
            try:
                await client.execute_command(*words)
            except redis.exceptions.NoPermissionError:
                return
            except redis.ResponseError as error:
                # Some commands are off for every user, whatever its rights.
                if "command not allowed" in str(error):
                    return
                raise NotHeldError(f"it fails only because {error}") from error
            raise NotHeldError("it is allowed")

    return act


def _trims(user: str) -> Act:
    """A user who may add can trim; the jobs whose messages are lost must end all the same."""

    async def act(target: Target) -> None:
        system = target.system
        stream = "mousetrap:fetch" if user == "api" else "mousetrap:process"
        accepted = []
        async with system.queue(user) as queue:
            client: Any = queue
            for _ in range(TRIMMED):
                answer = await target.ask("POST /refresh", body=b'{"source": "wide"}')
                accepted.append(answer.json["job_id"])
                try:
                    await client.execute_command("XADD", stream, "MAXLEN", "0", "*", "data", "{}")
                except redis.exceptions.NoPermissionError:
                    return
        for job_id in accepted:
            job = await system.ended(job_id, seconds=60)
            if job["state"] != "succeeded":
                raise NotHeldError(f"a job whose message was trimmed has {job['state']}")

    return act


def _loops(user: str) -> Act:
    """A script without end must be refused, or the operator must be able to end it."""

    async def act(target: Target) -> None:
        system = target.system
        async with system.queue(user) as queue:
            client: Any = queue
            script = asyncio.create_task(client.execute_command("EVAL", "while true do end", "0"))
            done, _ = await asyncio.wait({script}, timeout=1)
            if done and isinstance(script.exception(), redis.ResponseError):
                return
            try:
                async with system.operator() as operator:
                    free: Any = operator
                    await free.execute_command("SCRIPT", "KILL")
            except redis.RedisError as error:
                raise NotHeldError(f"nobody can end it: {error}") from error
            finally:
                await _free(target)
                script.cancel()
                await asyncio.gather(script, return_exceptions=True)

    return act


async def _free(target: Target) -> None:
    """End the script as the superuser of these servers, whatever became of the attack."""
    async with target.system.queue() as queue:
        client: Any = queue
        with contextlib.suppress(redis.RedisError):
            await client.execute_command("SCRIPT", "KILL")
