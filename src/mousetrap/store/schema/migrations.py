"""Creates the schema and brings it up to date.

A migration is a module with an ID, a DESCRIPTION, and SQL STATEMENTS, and is recorded in the table
that Piccolo's own migrations have. Piccolo's runner needs black, which no image is to hold.
"""

from typing import Final

from mousetrap.store.engine import Engine
from mousetrap.store.schema.grants import Roles
from mousetrap.store.schema.piccolo_migrations import (
    mousetrap_2026_11_23t12_00_00_000000,
    mousetrap_2026_11_25t08_00_00_000000,
    mousetrap_2026_11_25t14_00_00_000000,
    mousetrap_2026_11_29t20_00_00_000000,
    mousetrap_2026_11_29t21_00_00_000000,
    mousetrap_2026_11_30t01_00_00_000000,
    mousetrap_2026_11_30t02_00_00_000000,
    mousetrap_2026_11_30t03_00_00_000000,
    mousetrap_2026_11_30t09_00_00_000000,
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
    mousetrap_2026_11_30t01_00_00_000000,
    mousetrap_2026_11_30t02_00_00_000000,
    mousetrap_2026_11_30t03_00_00_000000,
    mousetrap_2026_11_30t09_00_00_000000,
)

# The number is arbitrary; it must be the same in all versions, and used for nothing else.
LOCK: Final = "SELECT pg_advisory_xact_lock(8245915331709)"
# ALTER TABLE waits for running users of the table, and blocks later ones while it waits.
_SHORT_WAIT: Final = "SET LOCAL lock_timeout = '5s'"


_RECORDS: Final = """
    CREATE TABLE IF NOT EXISTS migration (
        id        serial        PRIMARY KEY,
        name      varchar(200)  NOT NULL DEFAULT '',
        app_name  varchar(200)  NOT NULL DEFAULT '',
        ran_on    timestamp     NOT NULL DEFAULT current_timestamp
    )
"""

NOBODY: Final = Roles()


async def migrate(dsn: str, *, roles: Roles = NOBODY, deadline: float = 300.0) -> list[str]:
    """Apply the migrations that the database lacks; return their ids, none if it has them all.

    It is all or nothing: they run, and are recorded, in one transaction, in which `roles` are
    given their rights as well, even when there was nothing to apply. A second migrator waits
    for the first one and then finds nothing to do. On the schema of a later version, whose
    processes may still run, rights stay as they are. All within `deadline` seconds. Raises
    StoreUnavailableError and UnknownRoleError.
    """
    engine = Engine(dsn, pool_size=1, deadline=deadline, name=f"{APP} migrate")
    await engine.open()
    try:
        async with engine.atomically():
            await engine.fetch(LOCK)
            await engine.fetch(_SHORT_WAIT)
            applied, later = await _forwards(engine)
            if not later:
                await _grant(engine, roles)
    finally:
        await engine.close()
    if later:
        log.warning("roles keep the rights that a later version gave them", migrations=later)
    log.info("the schema is up to date", applied=applied)
    return applied


async def _grant(engine: Engine, roles: Roles) -> None:
    [owner] = await engine.fetch("SELECT current_user AS name")
    for statement in roles.statements(owner["name"]):
        await engine.fetch(statement)


async def _forwards(engine: Engine) -> tuple[list[str], list[str]]:
    """Return the migrations that were missing, and those of a later version."""
    await engine.fetch(_RECORDS)
    rows = await engine.fetch("SELECT name FROM migration WHERE app_name = $1", APP)
    before = {row["name"] for row in rows}
    missing = [module for module in MODULES if module.ID not in before]
    for module in missing:
        for statement in module.STATEMENTS:
            await engine.fetch(statement)
        await engine.fetch("INSERT INTO migration (name, app_name) VALUES ($1, $2)", module.ID, APP)
    applied = [module.ID for module in missing]
    return applied, sorted(before - {module.ID for module in MODULES})
