# ruff: noqa: SLF001 - `_meta` is what Piccolo has for looking at a table

import re
from uuid import uuid4

import asyncpg
import pytest
from piccolo.table import Table

from mousetrap.jobs.state import State
from mousetrap.store.database import Database
from mousetrap.store.schema.tables import (
    AttemptRow,
    BatchPartRow,
    BatchRow,
    DeadLetterRow,
    FollowUpRow,
    JobRow,
    JoinedKeyRow,
    SummaryRow,
)
from support.postgres import Connection
from support.samples import SUMMARY, columns, fail, submitted, succeeded

TABLES: tuple[type[Table], ...] = (
    JobRow,
    JoinedKeyRow,
    AttemptRow,
    SummaryRow,
    BatchRow,
    BatchPartRow,
    DeadLetterRow,
    FollowUpRow,
)

TYPES = {
    "BIGINT": "bigint",
    "BIGSERIAL": "bigint",
    "BOOLEAN": "boolean",
    "BYTEA": "bytea",
    "INTEGER": "integer",
    "JSON": "json",
    "TEXT": "text",
    "TIMESTAMPTZ": "timestamp with time zone",
    "UUID": "uuid",
}

COLUMNS = """
SELECT column_name, data_type, is_nullable = 'YES' AS nullable
FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position
"""

# Which only processes of the version before know.
LEGACY = {"summary": ("fetched_at", "processed_at", *columns(SUMMARY))}

PRIMARY_KEY = """
SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
WHERE indrelid = $1::regclass AND indisprimary
"""

SUMMARIES_REFUSED = [
    "centroid_lat = NULL",
    "centroid_lon = NULL",
    "south = 45, north = 44.9",
    "point_count = 0",
    *(
        f"{column} = {value}"
        for columns, values in (
            (("centroid_lat", "most_northerly_lat", "south", "north"), ("-90.1", "90.1", "'NaN'")),
            (("centroid_lon", "most_northerly_lon", "west", "east"), ("-180.1", "180.1", "'-inf'")),
        )
        for column in columns
        for value in values
    ),
]

JOBS_REFUSED = [
    "finished_at = now()",
    "state = 'succeeded'",
    "state = 'succeeded', finished_at = now()",
    "state = 'failed', finished_at = now()",
    "state = 'lost'",
    "error_code = 'timeout', error_detail = ''",
    "error_detail = 'why'",
    "attempts = 0",
    "source = ''",
    "idempotency_key = ''",
    "idempotency_key = repeat('k', 256)",
]


@pytest.mark.usefixtures("database")
async def test_piccolo_sees_the_tables_as_they_are(side: Connection) -> None:
    rows = await side.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    names = {row["tablename"] for row in rows}
    assert names == {"migration", *(table._meta.tablename for table in TABLES)}
    for table in TABLES:
        meta = table._meta
        rows = await side.fetch(COLUMNS, meta.tablename)
        legacy = LEGACY.get(meta.tablename, ())
        assert {*legacy} <= {row["column_name"] for row in rows}
        found = [tuple(row) for row in rows if row["column_name"] not in legacy]
        assert found == [
            (
                column._meta.db_column_name,
                TYPES[column.column_type],
                column._meta.null,
            )
            for column in meta.columns
        ]
        # Piccolo knows of one column alone.
        key, *_ = await side.fetch(PRIMARY_KEY, meta.tablename)
        assert key["attname"] == meta.primary_key._meta.db_column_name


@pytest.mark.usefixtures("database")
async def test_the_schema_knows_every_state_and_no_other(side: Connection) -> None:
    check = await side.fetchval(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'job_state_check'"
    )
    assert sorted(re.findall(r"'(\w+)'", check)) == sorted(State)


async def test_a_summary_out_of_range_is_refused(database: Database, side: Connection) -> None:
    await succeeded(database)
    for change in SUMMARIES_REFUSED:
        with pytest.raises(asyncpg.CheckViolationError):
            await side.execute(f"UPDATE summary SET {change}")  # noqa: S608 - ours


async def test_a_job_that_contradicts_itself_is_refused(
    database: Database, side: Connection
) -> None:
    await submitted(database)
    for change in JOBS_REFUSED:
        with pytest.raises(asyncpg.CheckViolationError):
            await side.execute(f"UPDATE job SET {change}")  # noqa: S608 - ours


async def test_a_failed_job_keeps_its_reason(database: Database, side: Connection) -> None:
    await fail(database, (await submitted(database)).id)
    with pytest.raises(asyncpg.CheckViolationError):
        await side.execute("UPDATE job SET error_code = NULL")


@pytest.mark.usefixtures("database")
async def test_a_summary_belongs_to_a_job(side: Connection) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await side.execute("INSERT INTO batch VALUES ($1, '{}')", uuid4())


async def test_the_order_of_jobs_is_the_databases_business(
    database: Database, side: Connection
) -> None:
    await submitted(database)
    with pytest.raises(asyncpg.GeneratedAlwaysError):
        await side.execute("UPDATE job SET sequence = 7")
