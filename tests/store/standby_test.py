"""A standby is not ready, until it is promoted; several hosts are tried for a primary."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from chaos.proxy import Proxy, behind
from mousetrap.stack import identity, postgres
from mousetrap.stack.folder import Folder
from mousetrap.stack.launcher import Launcher
from mousetrap.stack.output import LogFiles
from mousetrap.stack.servers import Servers
from mousetrap.store.database import Database
from mousetrap.store.errors import NoPrimaryError, StandbyError, StoreUnavailableError
from mousetrap.store.schema.migrations import migrate

WITH_A_STANDBY = "ALTER SYSTEM SET synchronous_standby_names = '{}'"


async def test_a_standby_is_not_ready_and_says_why(
    own_folder: Folder, servers: Servers, migrated_dsn: str
) -> None:
    user = identity.choose(postgres.binary("postgres"), own_folder.root)
    launcher = Launcher(own_folder, user, LogFiles(own_folder.root))
    with own_folder.sockets(user) as sockets:
        own = Servers(sockets, ())
        dsn = own.database("test")
        with postgres.running(launcher, sockets, durable=False):
            await command(own.postgres_dsn, "CREATE DATABASE test")
            await migrate(dsn)
            await command(dsn, WITH_A_STANDBY.format("other"))
        (own_folder.postgres / "standby.signal").touch()
        own_folder.provide(own_folder.postgres, user)

        with postgres.running(launcher, sockets, durable=False):
            async with Database(dsn) as database:
                with pytest.raises(StandbyError, match="read-only: name the primary in the addr"):
                    await database.ping()

                assert "/test?" in migrated_dsn
                both = f"host={sockets},{servers.sockets}&port={postgres.PORT},{postgres.PORT}"
                for wish in ("", "&target_session_attrs=read-write"):
                    async with Database(f"postgresql://postgres@/test?{both}{wish}") as primary:
                        await primary.ping()

                async with Database(f"{dsn}&target_session_attrs=primary") as standby:
                    with pytest.raises(NoPrimaryError, match="promote a standby") as caught:
                        await standby.jobs.submit("demo")
                    assert not caught.value.sent

                await command(dsn, WITH_A_STANDBY.format(""))
                await command(dsn, "SELECT pg_reload_conf()")
                await command(dsn, "SELECT pg_promote()")
                await database.ping()


@pytest.fixture
async def two_ways(migrated_dsn: str) -> AsyncIterator[tuple[Proxy, Database]]:
    """A database with two hosts, the first of which may fall silent."""
    async with behind(migrated_dsn) as (first, dsn), behind(migrated_dsn) as (second, _):
        hosts = dsn.replace(f":{first.port}/", f":{first.port},127.0.0.1:{second.port}/")
        async with Database(hosts, deadline=2.0) as database:
            yield first, database


async def test_a_silent_host_leaves_time_for_the_next(two_ways: tuple[Proxy, Database]) -> None:
    first, database = two_ways
    first.block()

    await database.ping()
    tried = first.connections
    await asyncio.gather(*(database.ping() for _ in range(5)))

    assert tried == first.connections == 1  # the one that was reached last comes first


async def test_after_one_silent_connection_none_is_waited_for(
    two_ways: tuple[Proxy, Database],
) -> None:
    first, database = two_ways
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(database.engine.fetch("SELECT pg_sleep(0.2)"))
    assert database.usage().idle == first.connections == 5
    first.block()
    with pytest.raises(StoreUnavailableError):
        await database.ping()

    await asyncio.gather(*(database.ping() for _ in range(5)))


async def command(dsn: str, statement: str) -> None:
    operator = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
    try:
        await operator.execute(statement)
    finally:
        await operator.close(timeout=10)
