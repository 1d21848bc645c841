"""Creates the schema and brings it up to date."""

import contextlib
import io
import os
from collections.abc import Iterator
from typing import Final, cast

from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager
from piccolo.apps.migrations.tables import Migration
from piccolo.conf.apps import ENVIRONMENT_VARIABLE, MigrationModule

from mousetrap.store.engine import UNBOUND, Engine
from mousetrap.store.errors import LifecycleError
from mousetrap.store.schema import piccolo_conf
from mousetrap.store.schema.grants import Roles
from mousetrap.store.schema.piccolo_migrations import (
    mousetrap_2026_11_23t12_00_00_000000,
    mousetrap_2026_11_25t08_00_00_000000,
    mousetrap_2026_11_25t14_00_00_000000,
    mousetrap_2026_11_29t20_00_00_000000,
    mousetrap_2026_11_29t21_00_00_000000,
)
from mousetrap.store.schema.version import APP
from mousetrap.telemetry import logs

log = logs.logger(__name__)

# Named rather than discovered in a folder, so every artefact has exactly these.
MODULES: Final = (
    mousetrap_2026_11_23t12_00_00_000000,
    mousetrap_2026_11_25t08_00_00_000000,
    mousetrap_2026_11_25t14_00_00_000000,
    mousetrap_2026_11_29t20_00_00_000000,
    mousetrap_2026_11_29t21_00_00_000000,
)

# The number is arbitrary; it must be the same in all versions, and used for nothing else.
LOCK: Final = "SELECT pg_advisory_xact_lock(8245915331709)"
# ALTER TABLE waits for running users of the table, and blocks later ones while it waits.
_SHORT_WAIT: Final = "SET LOCAL lock_timeout = '5s'"


class _Forwards(ForwardsMigrationManager):
    def get_migration_modules(self, _: str) -> dict[str, MigrationModule]:
        return {module.ID: cast("MigrationModule", module) for module in MODULES}


NOBODY: Final = Roles()


async def migrate(dsn: str, *, roles: Roles = NOBODY, deadline: float = 300.0) -> list[str]:
    """Apply the migrations that the database lacks; return their ids, none if it has them all.

    It is all or nothing: they run, and are recorded, in one transaction, in which `roles` are
    given their rights as well, even when there was nothing to apply. A second migrator waits
    for the first one and then finds nothing to do. All within `deadline` seconds. Raises
    StoreUnavailableError, UnknownRoleError, and LifecycleError when this process is migrating.
    """
    engine = Engine(dsn, pool_size=1, deadline=deadline, name=f"{APP} migrate")
    with _piccolo_conf(engine):
        await engine.open()
        try:
            async with engine.atomically():
                await engine.fetch(LOCK)
                await engine.fetch(_SHORT_WAIT)
                applied = await _forwards()
                [owner] = await engine.fetch("SELECT current_user AS name")
                for statement in roles.statements(owner["name"]):
                    await engine.fetch(statement)
        finally:
            await engine.close()
    log.info("the schema is up to date", applied=applied)
    return applied


async def _forwards() -> list[str]:
    manager = _Forwards(APP)
    await manager.create_migration_table()
    before = await Migration.get_migrations_which_ran(APP)
    # Piccolo prints its progress; standard output belongs to the logs.
    with contextlib.redirect_stdout(io.StringIO()):
        await manager.run()
    return sorted(set(await Migration.get_migrations_which_ran(APP)) - set(before))


@contextlib.contextmanager
def _piccolo_conf(engine: Engine) -> Iterator[None]:
    """Tell Piccolo where its configuration is, which it takes from the environment only."""
    if piccolo_conf.DB is not UNBOUND:
        raise LifecycleError("this process is migrating a database: wait until it has ended")
    piccolo_conf.DB = engine
    Migration._meta.db = engine  # noqa: SLF001 - Piccolo keeps the first that it finds
    before = os.environ.get(ENVIRONMENT_VARIABLE)
    os.environ[ENVIRONMENT_VARIABLE] = piccolo_conf.__name__
    try:
        yield
    finally:
        piccolo_conf.DB = UNBOUND
        if before is None:
            del os.environ[ENVIRONMENT_VARIABLE]
        else:
            os.environ[ENVIRONMENT_VARIABLE] = before
