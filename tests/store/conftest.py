"""A migrated database of its own for each test, and a look at it from the side."""

import os
from collections.abc import AsyncIterator

import asyncpg
import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from mousetrap.store.database import Database
from mousetrap.store.migrations import migrate
from store.side import Connection

settings.load_profile("ci")
# Its caches would go to the working directory; where they cannot be written it does without.
set_hypothesis_home_dir(os.devnull)


@pytest.fixture
async def migrated_dsn(postgres_dsn: str) -> str:
    await migrate(postgres_dsn)
    return postgres_dsn


@pytest.fixture
async def database(migrated_dsn: str) -> AsyncIterator[Database]:
    async with Database(migrated_dsn) as database:
        yield database


@pytest.fixture
async def side(postgres_dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(postgres_dsn, timeout=10, command_timeout=30)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)
