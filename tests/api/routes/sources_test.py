from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.conftest import NOWHERE_URL, CheckedApi, Workers
from mousetrap.api.routes.sources import is_stale, next_slot
from mousetrap.jobs.job import Failure
from mousetrap.queue.circuits import FAILURES, Circuits
from mousetrap.store.database import Database
from support.samples import fail

CLOSED = {"state": "closed", "since": None, "failures": 0, "last_error": None}


async def test_lists_what_is_configured(client: httpx2.AsyncClient) -> None:
    answer = (await client.get("/sources")).json()

    slot = datetime.fromisoformat(answer["items"][1].pop("next_scheduled_at"))
    assert slot.timestamp() % 300 == 0
    assert slot > datetime.now(UTC) - timedelta(seconds=60)
    answer["items"][1]["next_scheduled_at"] = None
    assert answer == {
        "items": [
            {
                "name": "demo",
                "kind": "faker",
                "default": True,
                "every": None,
                "circuit": CLOSED,
                "newest": None,
                "newest_job": None,
                "next_scheduled_at": None,
                "stale": None,
            },
            {
                "name": "earthquakes",
                "kind": "geojson",
                "default": False,
                "every": "5m",
                "circuit": CLOSED,
                "newest": None,
                "newest_job": None,
                "next_scheduled_at": None,
                "stale": None,
            },
        ]
    }


async def test_shows_the_newest_summary_of_each(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    await workers.succeed()
    newest = await workers.succeed()

    demo, earthquakes = (await client.get("/sources")).json()["items"]

    assert demo["newest"] == (await client.get(f"/summaries/{newest}")).json()
    assert earthquakes["newest"] is None


async def test_shows_the_newest_job_of_each_whatever_others_do(
    client: httpx2.AsyncClient, database: Database, workers: Workers
) -> None:
    failed = (await database.jobs.submit("earthquakes")).job
    await fail(database, failed.id, Failure("timeout", "no answer"))
    for _ in range(3):
        newest = await workers.succeed()

    demo, earthquakes = (await client.get("/sources")).json()["items"]

    assert demo["newest_job"]["job_id"] == newest
    assert demo["newest_job"]["state"] == "succeeded"
    assert earthquakes["newest_job"]["state"] == "failed"
    assert earthquakes["newest_job"]["error"] == {"code": "timeout", "detail": "no answer"}


async def test_tells_whether_a_summary_is_older_than_its_schedule_allows(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    await workers.succeed()
    await workers.succeed(source="earthquakes")

    demo, earthquakes = (await client.get("/sources")).json()["items"]

    assert demo["stale"] is None
    assert earthquakes["stale"] is False


@pytest.mark.parametrize(("age", "stale"), [(0, False), (599, False), (601, True)])
def test_summary_is_stale_after_two_periods(age: int, *, stale: bool) -> None:
    now = datetime.now(UTC)

    assert is_stale(now - timedelta(seconds=age), 300.0, now) is stale


@given(
    period=st.sampled_from([1.0, 30.0, 300.0, 86400.0]),
    since_1970=st.integers(1, 2**32),
)
def test_next_slot_is_the_first_one_to_come(period: float, since_1970: int) -> None:
    now = datetime.fromtimestamp(since_1970, UTC)

    slot = next_slot(period, now)

    assert slot.timestamp() % period == 0
    assert timedelta() < slot - now <= timedelta(seconds=period)


async def test_tells_nobody_where_they_are(client: httpx2.AsyncClient) -> None:
    assert "127.0.0.1" not in (await client.get("/sources")).text


async def test_tells_nobody_how_they_are_asked(client: httpx2.AsyncClient) -> None:
    assert "canary" not in (await client.get("/sources")).text.lower()


async def test_shows_which_are_not_asked(client: httpx2.AsyncClient, redis_url: str) -> None:
    async with Circuits(redis_url) as circuits:
        for _ in range(FAILURES):
            await circuits.failed("earthquakes", "timeout", interval=60)

    demo, earthquakes = (await client.get("/sources")).json()["items"]

    assert demo["circuit"] == CLOSED
    since = earthquakes["circuit"].pop("since")
    assert since.endswith("Z")
    assert earthquakes["circuit"] == {
        "state": "open",
        "failures": FAILURES,
        "last_error": "timeout",
    }


async def test_nobody_knows_while_the_queue_is_away(app: CheckedApi) -> None:
    async with app.serve(redis_url=NOWHERE_URL) as client:
        answer = await client.get("/sources")

    assert answer.status_code == 200
    assert [it["circuit"] for it in answer.json()["items"]] == [None, None]
