"""Postgres is ready only when it could store what a process has to store."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from chaos import disk
from mousetrap.stack import folder, identity, postgres
from mousetrap.stack.launcher import Launcher
from mousetrap.stack.output import LogFiles
from mousetrap.stack.servers import Servers
from mousetrap.store.database import Database
from mousetrap.store.errors import AccessError, StoreUnavailableError
from mousetrap.store.schema.grants import Roles
from mousetrap.store.schema.migrations import migrate
from support.postgres import Connection

ROLE = "readiness"


@pytest.fixture
async def role(migrated_dsn: str, side: Connection) -> AsyncIterator[str]:
    """A role with the rights of the API; the DSN with which it logs in."""
    await side.execute(f"CREATE ROLE {ROLE} LOGIN")
    try:
        await migrate(migrated_dsn, roles=Roles(api=ROLE))
        yield migrated_dsn.replace("postgres@", f"{ROLE}@", 1)
    finally:
        await side.execute(f"DROP OWNED BY {ROLE}")
        await side.execute(f"DROP ROLE {ROLE}")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A small disk."""
    if not disk.mountable():
        pytest.skip("only root can mount a disk")
    with disk.mounted(tmp_path / "disk", 300) as found:
        yield found


async def test_a_database_that_is_read_only_by_default_is_written_and_ready(
    migrated_dsn: str, side: Connection
) -> None:
    """A compromised role could set the default for itself; see PINNED."""
    name = await side.fetchval("SELECT current_database()")
    await side.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        async with Database(migrated_dsn) as database:
            await database.ping()
            assert (await database.jobs.submit("demo")).created
    finally:
        await side.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


async def test_a_process_without_one_of_its_rights_is_not_ready_and_says_which(
    role: str, side: Connection
) -> None:
    async with Database(role, process="api") as database:
        await database.ping()
        await side.execute(f"REVOKE INSERT ON job FROM {ROLE}")

        with pytest.raises(AccessError, match="lacks INSERT ON job: grant it its rights"):
            await database.ping()


async def test_a_role_of_the_operators_own_is_asked_for_no_rights(
    role: str, side: Connection
) -> None:
    await side.execute(f"REVOKE INSERT ON job FROM {ROLE}")

    async with Database(role) as database:
        await database.ping()


async def test_a_full_disk_is_not_ready_until_it_is_freed(small: Path) -> None:
    with folder.hold(small / "servers") as held:
        user = identity.choose(postgres.binary("postgres"), held.root)
        launcher = Launcher(held, user, LogFiles(held.root))
        with (
            held.sockets(user) as sockets,
            postgres.running(launcher, sockets, durable=False),
        ):
            dsn = Servers(sockets, ()).postgres_dsn
            await migrate(dsn)
            async with Database(dsn) as database:
                await database.ping()
                await checkpoint(dsn)
                disk.fill(small)

                with pytest.raises(StoreUnavailableError, match=r"DiskFull.* of what it lacks"):
                    await database.ping()

                disk.free(small)
                await database.ping()


async def checkpoint(dsn: str) -> None:
    operator = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
    try:
        await operator.execute("CHECKPOINT")
    finally:
        await operator.close(timeout=10)
