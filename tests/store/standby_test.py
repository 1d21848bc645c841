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


async def test_a_standby_is_not_ready_and_says_why(own_folder: Folder) -> None:
    user = identity.choose(postgres.binary("postgres"), own_folder.root)
    launcher = Launcher(own_folder, user, LogFiles(own_folder.root))
    with own_folder.sockets(user) as sockets:
        dsn = Servers(sockets, ()).postgres_dsn
        with postgres.running(launcher, sockets, durable=False):
            await migrate(dsn)
        (own_folder.postgres / "standby.signal").touch()
        own_folder.provide(own_folder.postgres, user)

        with postgres.running(launcher, sockets, durable=False):
            async with Database(dsn) as database:
                with pytest.raises(StandbyError, match="read-only: name the primary in the addr"):
                    await database.ping()

                operator = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
                assert await operator.fetchval("SELECT pg_promote()")
                await operator.close(timeout=10)
                await database.ping()
