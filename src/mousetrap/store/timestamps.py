"""Times of Postgres, read in less time than asyncpg takes for its own."""

from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from asyncpg.pool import PoolConnectionProxy

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def encode(instant: datetime) -> tuple[int]:
    """Return the microseconds since 2000 of an aware time, which is what Postgres stores."""
    return ((instant - _EPOCH) // _MICROSECOND,)


def decode(stored: tuple[int]) -> datetime:
    """Return the time in UTC; raises OverflowError for one that is not of the years 1 to 9999."""
    return _EPOCH + timedelta(0, 0, stored[0])


async def register(connection: "PoolConnectionProxy[asyncpg.Record]") -> None:
    """Have a connection read and write `timestamptz` like this."""
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=encode, decoder=decode, format="tuple"
    )
