"""A migration that consists of SQL statements."""

from collections.abc import Iterable
from typing import cast

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

from mousetrap.store.engine import Engine
from mousetrap.store.schema.version import APP


def migration(migration_id: str, description: str, statements: Iterable[str]) -> MigrationManager:
    """Return what runs the statements, in their order."""
    manager = MigrationManager(migration_id=migration_id, app_name=APP, description=description)

    async def run() -> None:
        engine = cast("Engine", engine_finder())
        for statement in statements:
            await engine.fetch(statement)

    manager.add_raw(run)
    return manager
