"""A connection to a database of those that are measured."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg


@asynccontextmanager
async def connected(dsn: str, patience: float) -> AsyncIterator[Any]:
    """Connect within the block; whatever it is asked may take so many seconds."""
    connection = await asyncpg.connect(dsn, timeout=patience, command_timeout=patience)
    try:
        yield connection
    finally:
        await connection.close(timeout=patience)
