"""A standby is not ready, until it is promoted."""

import asyncpg
import pytest

from mousetrap.stack import identity, postgres
from mousetrap.stack.folder import Folder
from mousetrap.stack.launcher import Launcher
from mousetrap.stack.output import LogFiles
from mousetrap.stack.servers import Servers
from mousetrap.store.database import Database
from mousetrap.store.errors import StandbyError
from mousetrap.store.schema.migrations import migrate


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
        (own_folder.postgres / "standby.signal").touch()
        own_folder.provide(own_folder.postgres, user)

        with postgres.running(launcher, sockets, durable=False):
            async with Database(dsn) as database:
                with pytest.raises(StandbyError, match="read-only: name the primary in the addr"):
                    await database.ping()

                assert "/test?" in migrated_dsn
                both = f"host={sockets},{servers.sockets}&port={postgres.PORT},{postgres.PORT}"
                one_of_them = f"postgresql://postgres@/test?{both}&target_session_attrs=read-write"
                async with Database(one_of_them) as primary:
                    await primary.ping()

                await command(dsn, "SELECT pg_promote()")
                await database.ping()


async def command(dsn: str, statement: str) -> None:
    operator = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
    try:
        await operator.execute(statement)
    finally:
        await operator.close(timeout=10)
