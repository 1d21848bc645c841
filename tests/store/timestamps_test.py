from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.store import timestamps
from mousetrap.store.engine import ENGINE
from mousetrap.store.errors import UnstorableValueError
from store.side import Connection

ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
INSTANTS = st.datetimes(timezones=ZONES).filter(lambda instant: 1 < instant.year < 9999)
QUERY = "SELECT $1::timestamptz AS it, $1::timestamptz::text AS text, $2::timestamptz[] AS many"


@given(INSTANTS)
def test_a_time_comes_back_as_the_same_instant_in_utc(instant: datetime) -> None:
    found = timestamps.decode(timestamps.encode(instant))
    assert found == instant
    assert found.tzinfo is UTC


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "text",
    ["0002-01-01T00:00+01:00", "1999-12-31T23:59:59.999999Z", "9998-12-31T23:59:59-23:00"],
)
async def test_a_time_is_stored_and_read_as_asyncpg_has_it(side: Connection, text: str) -> None:
    instant = datetime.fromisoformat(text)
    [ours] = await ENGINE.fetch(QUERY, instant, [instant, None])
    [theirs] = await side.fetch(QUERY, instant, [instant, None])
    assert dict(ours) == dict(theirs)


@pytest.mark.usefixtures("database")
async def test_a_time_without_an_offset_is_refused() -> None:
    naive = datetime.fromisoformat("2026-11-27T20:00")
    with pytest.raises(UnstorableValueError, match="offset"):
        await ENGINE.fetch("SELECT $1::timestamptz", naive)
