"""A page of a span of time costs what is on it, for jobs as for summaries."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from mousetrap.jobs.job import Job
from mousetrap.jobs.state import State
from mousetrap.store import spans
from mousetrap.store.database import Database
from mousetrap.store.summaries import StoredSummary
from support.postgres import Connection, plan, scans, statements
from support.samples import MANY_SUMMARIES, succeeded

NOON: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
TICK: Final = timedelta(microseconds=1)
LOOKS: Final = 15
"""More than the bits of the sequences of MANY_SUMMARIES, each of which costs one row."""

# Four jobs in 20 seconds, out of order by up to a minute.
UNEVEN: Final = """
UPDATE {} SET requested_at = '2026-11-23T12:00Z'::timestamptz
    + sequence / 4 * interval '20 s' + (hashint8(sequence) & 31) * interval '1.8 s'
"""
AT_NOON: Final = "UPDATE {} SET requested_at = $1"
GAPS: Final = "DELETE FROM job WHERE sequence < 50 OR sequence > 350 OR sequence % 7 = 3"


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def _fits(  # noqa: PLR0913, PLR0917 - one for each filter
    it: Job,
    source: str | None = None,
    state: State | None = None,
    before: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> bool:
    return (
        it.source == (source or it.source)
        and it.state == (state or it.state)
        and (before is None or it.sequence < before)
        and (since is None or it.requested_at >= since)
        and (until is None or it.requested_at < until)
    )


@pytest.mark.parametrize(
    "wanted",
    [
        {"until": minutes(500)},
        {"until": minutes(500), "before": 300},
        {"since": minutes(4996)},
        {"since": minutes(50), "until": minutes(55)},
        {"since": minutes(995), "source": "silent"},
        {"since": minutes(995), "until": minutes(1005), "state": State.SUCCEEDED},
        {"since": minutes(10), "state": State.FAILED},
        {"since": minutes(100), "until": minutes(90)},
        {"since": NOON + timedelta(days=30)},
        {"until": NOON},
        {"since": datetime.min.replace(tzinfo=UTC), "until": datetime.max.replace(tzinfo=UTC)},
    ],
)
async def test_a_page_of_jobs_costs_what_is_on_it_however_many_there_are(
    database: Database, side: Connection, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]
) -> None:
    await side.execute(MANY_SUMMARIES)
    await side.execute("ANALYZE job")
    everything = await database.jobs.page(limit=10_000)
    sent = statements(monkeypatch)

    page = await database.jobs.page(**wanted, limit=10)

    assert page == [it for it in everything if _fits(it, **wanted)][:10]
    (bounds, edges), (query, args) = sent
    for scan in scans(await plan(side, bounds, edges, generic=True), "job"):
        assert scan["Index Name"] == "job_sequence_key"
        assert scan["Actual Rows"] <= 1
        assert scan["Actual Loops"] <= 2 * LOOKS
    for scan in scans(await plan(side, query, args, generic=True), "job"):
        assert scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) <= LOOKS


@pytest.mark.parametrize("table", ["job", "summary"])
async def test_since_is_inclusive_and_until_is_not(
    database: Database, side: Connection, table: str
) -> None:
    job = await succeeded(database)
    await side.execute(AT_NOON.format(table), NOON)
    page = database.jobs.page if table == "job" else database.summaries.page
    cases = {
        (NOON, None): True,
        (NOON + TICK, None): False,
        (None, NOON): False,
        (None, NOON + TICK): True,
        (NOON, NOON): False,
        (NOON - TICK, NOON): False,
        (NOON, NOON + TICK): True,
    }
    for (since, until), expected in cases.items():
        found: Sequence[Job | StoredSummary] = await page(since=since, until=until, limit=10)
        ids = [it.id if isinstance(it, Job) else it.job_id for it in found]
        assert ids == ([job.id] if expected else [])


async def test_there_is_no_bound_where_nothing_is(database: Database) -> None:
    assert await database.jobs.page(since=NOON, until=minutes(1), limit=10) == []


async def test_no_row_of_a_span_is_beyond_its_sequences(
    database: Database, side: Connection
) -> None:
    await side.execute(MANY_SUMMARIES)
    await side.execute(GAPS)
    for table in ("job", "summary"):
        await side.execute(UNEVEN.format(table))
    rows = [tuple(it) for it in await side.fetch("SELECT sequence, requested_at FROM job")]
    times = [time for _, time in sorted(rows)]
    assert times != sorted(times)

    for query, since, until in itertools.product(
        (spans.OF_JOBS, spans.OF_SUMMARIES), times[::31], times[::37]
    ):
        low, high = await spans.sequences(database.engine, query, since, until, None)
        inside = [sequence for sequence, time in rows if since <= time < until]
        assert all((low or 0) < it < (high or 2**63) for it in inside)
        around = [sequence for sequence, _ in rows if (low or 0) < sequence < (high or 2**63)]
        assert len(around) - len(inside) <= _near(rows, since) + _near(rows, until)


def _near(rows: Sequence[tuple[Any, ...]], instant: datetime) -> int:
    """Return how many rows are within twice the minute that the order of sequences may lack."""
    return sum(abs(time - instant) <= timedelta(minutes=2) for _, time in rows)


async def test_pages_of_a_span_follow_one_another(database: Database, side: Connection) -> None:
    await side.execute(MANY_SUMMARIES)
    since, until = minutes(1000), minutes(1006)
    everything = await database.jobs.page(since=since, until=until, limit=10)
    first, second = [
        await database.jobs.page(since=since, until=until, before=before, limit=3)
        for before in (None, everything[2].sequence)
    ]
    assert [*first, *second] == everything
    assert len(second) == 3
