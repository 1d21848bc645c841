"""A connection to a database under measurement."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg


@asynccontextmanager
async def connected(dsn: str, patience: float) -> AsyncIterator[Any]:
    """Connect within the block; each statement has a deadline in seconds."""
    connection = await asyncpg.connect(dsn, timeout=patience, command_timeout=patience)
    try:
        yield connection
    finally:
        await connection.close(timeout=patience)
