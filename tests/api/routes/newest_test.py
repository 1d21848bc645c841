import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from api.conftest import POINTS, CheckedApi, Workers, execute
from mousetrap.api.http.compression import Compression
from mousetrap.api.http.limits import Receive, Scope, Send
from mousetrap.api.live import summary_cache
from mousetrap.api.live.summary_cache import STALENESS
from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.stack import folder, servers
from mousetrap.store.database import Database
from mousetrap.store.engine import Engine
from mousetrap.store.notices import JOBS, Notice, Notices, SummaryAdded
from mousetrap.store.schema.migrations import migrate
from mousetrap.store.summaries import SummaryStore
from support.batches import summarise
from support.probes import scraped
from support.samples import REPORT

NO_CONDITION: dict[str, str] = {}
CONDITIONS = [
    *(NO_CONDITION, {"If-None-Match": "{etag}"}, {"If-None-Match": 'W/"x", {etag}'}),
    *({"If-None-Match": "*"}, {"If-None-Match": '"x"'}, {"If-None-Match": ""}),
]
DELETE_NEWEST = "DELETE FROM job WHERE sequence = (SELECT max(sequence) FROM job)"


async def test_is_an_empty_object_before_the_first_summary(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/")

    assert (answer.status_code, answer.content) == (200, b"{}")


async def test_shows_the_summary_in_numbers(client: httpx2.AsyncClient, workers: Workers) -> None:
    points = (Point(-17.0, 178.0, "Fiji"), Point(52.0, -176.0, "Adak"))
    job_id = await workers.succeed(points=points)

    summary = (await client.get("/")).json()

    assert summary["job_id"] == job_id
    assert summary["source"] == "demo"
    assert summary["count"] == 2
    assert summary["most_northerly"] == {"lat": 52.0, "lon": -176.0, "name": "Adak"}
    assert summary["bbox"] == [178.0, -17.0, -176.0, 52.0]
    assert [type(number) for number in summary["centroid"]] == [float, float]
    assert summary["requested_at"] <= summary["fetched_at"] <= summary["finished_at"]
    assert summary["requested_at"].endswith("Z")


async def test_is_a_feature_as_it_is_in_the_history(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    geojson = {"Accept": "application/geo+json"}
    before = await client.get("/", headers=geojson)
    job_id = await workers.succeed()

    answer = await client.get("/", headers=geojson)
    known = {"If-None-Match": answer.headers["etag"]}

    assert before.json() == {"type": "Feature", "geometry": None, "properties": None}
    assert answer.json() == (await client.get(f"/summaries/{job_id}", headers=geojson)).json()
    for found in (before, answer):
        assert found.headers["content-type"] == "application/geo+json"
        assert found.headers["vary"].split(", ")[0] == "Accept"
    assert (await client.get("/", headers=geojson | known)).status_code == 304
    assert (await client.get("/", headers=known)).status_code == 200


async def test_has_no_centroid_when_the_points_cancel_each_other_out(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    await workers.succeed(points=(Point(0.0, 0.0), Point(0.0, 180.0)))

    summary = (await client.get("/")).json()

    assert summary["centroid"] is None
    assert summary["most_northerly"]["name"] is None


async def test_newest_is_what_was_requested_last(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    first = (await client.post("/refresh")).json()["job_id"]
    second = (await client.post("/refresh")).json()["job_id"]
    await workers.succeed(second)
    await workers.succeed(first)

    assert (await client.get("/")).json()["job_id"] == second


async def test_keeps_the_sources_apart(client: httpx2.AsyncClient, workers: Workers) -> None:
    demo = await workers.succeed()
    earthquakes = await workers.succeed(source="earthquakes")

    assert (await client.get("/")).json()["job_id"] == demo
    assert (await client.get("/?source=demo")).json()["job_id"] == demo
    assert (await client.get("/?source=earthquakes")).json()["job_id"] == earthquakes


async def test_a_source_has_to_be_configured(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/?source=nope")

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:mousetrap:problem:unknown-source"
    assert "'nope'" in answer.json()["detail"]


@pytest.mark.parametrize("known", ["{etag}", 'W/"x", {etag}', "W/{etag}", "*"])
async def test_what_is_known_is_not_sent_again(
    client: httpx2.AsyncClient, workers: Workers, known: str
) -> None:
    await workers.succeed()
    etag = (await client.get("/")).headers["etag"]

    answer = await client.get("/", headers={"If-None-Match": known.format(etag=etag)})

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == etag


async def test_a_newer_summary_has_another_tag(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    await workers.succeed()
    etag = (await client.get("/")).headers["etag"]
    newer = await workers.succeed()

    answer = await client.get("/", headers={"If-None-Match": etag})

    assert answer.status_code == 200
    assert answer.json()["job_id"] == newer
    assert answer.headers["etag"] != etag


async def test_without_a_summary_no_tag_matches(client: httpx2.AsyncClient) -> None:
    answer: Any = await client.get("/", headers={"If-None-Match": "*"})

    assert (answer.status_code, answer.json()) == (200, {})


async def stored(database: Database, points: tuple[Point, ...] = POINTS) -> str:
    """Store a summary as another process would, of which this one has been told nothing."""
    job = (await database.jobs.submit("demo")).job
    await database.outcomes.succeed(
        job.id,
        attempt=1,
        fetched_at=datetime.now(UTC),
        summary=summarise(points),
        batch=Batch.of(points),
        report=REPORT,
    )
    return str(job.id)


async def shown(client: httpx2.AsyncClient, job_id: str | None) -> None:
    """Wait until this is the newest summary."""
    async with asyncio.timeout(20):
        # An answer from memory waits for nothing, so the loop would not hear Postgres.
        while (await client.get("/")).json().get("job_id") != job_id:  # noqa: ASYNC110
            await asyncio.sleep(0)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements about summaries that this process sends."""
    found: list[str] = []
    run = Engine._run_in_pool  # noqa: SLF001 - the one way of all statements

    async def noted(self: Engine, query: str, args: Any = None) -> Any:
        if "FROM summary" in query:
            found.append(query)
        return await run(self, query, args)

    monkeypatch.setattr(Engine, "_run_in_pool", noted)
    return found


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the cache stay good on a machine so busy that Postgres is not heard for seconds."""
    monkeypatch.setattr(summary_cache, "STALENESS", 600.0)


@pytest.mark.usefixtures("patient")
async def test_what_is_new_is_shown_without_asking_the_database(
    client: httpx2.AsyncClient, database: Database, asked: list[str]
) -> None:
    await shown(client, None)
    for _ in range(3):
        await shown(client, await stored(database))
    async with asyncio.timeout(20):
        while asked:  # by what keeps the memory fresh, or before it did
            asked.clear()
            await asyncio.sleep(0.2)

    for _ in range(50):
        answer = await client.get("/")
        assert (await client.get("/", headers={"If-None-Match": "*"})).status_code == 304
        sources = (await client.get("/sources")).json()["items"]

    assert sources[0]["newest"] == answer.json()
    assert asked == []


async def remembered(client: httpx2.AsyncClient, asked: list[str]) -> None:
    """Wait until the newest summary is told from memory: Postgres is heard by then."""
    async with asyncio.timeout(20):
        while True:
            asked.clear()
            await client.get("/")
            if not asked:
                return
            await asyncio.sleep(0)


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources of which this process was told that they may have a newer summary."""
    found: list[str] = []
    tell = Notices._tell  # noqa: SLF001 - where all notices come by

    def noted(notices: Notices, notice: Notice) -> None:
        tell(notices, notice)
        if isinstance(notice, SummaryAdded):
            found.append(notice.source)

    monkeypatch.setattr(Notices, "_tell", noted)
    return found


async def become(condition: Callable[[], object]) -> None:
    """Wait for what Postgres tells others, not the test."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    for _ in range(5):  # for what begins because of it
        await asyncio.sleep(0)


async def is_read_when_asked_for(
    client: httpx2.AsyncClient, database: Database, asked: list[str], added: list[str]
) -> None:
    """Store one more summary, which is read once, and not before somebody asks for it."""
    asked.clear()
    added.clear()
    job_id = await stored(database)
    await become(lambda: added == ["demo"])

    assert asked == []
    assert (await client.get("/")).json()["job_id"] == job_id
    assert len(asked) == 1


async def known(
    client: httpx2.AsyncClient,
    database: Database,
    asked: list[str],
    added: list[str],
    points: tuple[Point, ...] = POINTS,
) -> str:
    """Store a summary, and wait until it is told from memory and no notice is on its way."""
    await remembered(client, asked)
    added.clear()
    job_id = await stored(database, points)
    await become(lambda: added == ["demo"])
    await shown(client, job_id)
    await remembered(client, asked)
    return job_id


@pytest.fixture
def rest(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds between two times that the database is asked in advance."""
    monkeypatch.setattr(summary_cache, "PREFETCH_PAUSE", request.param)


@pytest.mark.usefixtures("rest")
@pytest.mark.parametrize("rest", [0.0], indirect=True)
async def test_what_is_asked_for_all_the_time_is_read_in_advance(
    asked: list[str], added: list[str], client: httpx2.AsyncClient, database: Database
) -> None:
    await become(lambda: asked)  # of its own accord, once
    await client.get("/")
    asked.clear()
    await stored(database)
    await become(lambda: asked)

    # One more, which nobody has asked for yet.
    await is_read_when_asked_for(client, database, asked, added)

    asked.clear()
    await stored(database)
    await become(lambda: asked)


@pytest.mark.usefixtures("rest")
@pytest.mark.parametrize("rest", [60.0], indirect=True)
async def test_what_changes_fast_is_read_when_somebody_asks(
    asked: list[str], added: list[str], client: httpx2.AsyncClient, database: Database
) -> None:
    await become(lambda: asked)
    await client.get("/")
    await is_read_when_asked_for(client, database, asked, added)


@pytest.mark.usefixtures("rest")
@pytest.mark.parametrize("rest", [0.0], indirect=True)
async def test_what_nobody_asks_for_is_not_read(
    asked: list[str], added: list[str], client: httpx2.AsyncClient, database: Database
) -> None:
    await become(lambda: asked)
    await is_read_when_asked_for(client, database, asked, added)


@pytest.mark.usefixtures("patient", "rest")
@pytest.mark.parametrize("rest", [60.0], indirect=True)
async def test_a_false_notice_costs_one_read(
    asked: list[str], added: list[str], client: httpx2.AsyncClient, database: Database, dsn: str
) -> None:
    job_id = await known(client, database, asked, added)
    forged = {"job_id": str(uuid4()), "state": "succeeded", "source": "demo", "sequence": 10**15}
    added.clear()
    await execute(dsn, f"SELECT pg_notify('{JOBS}', '{json.dumps(forged)}')")
    await become(lambda: added == ["demo"])

    assert (await client.get("/")).json()["job_id"] == job_id
    assert len(asked) == 1
    assert (await client.get("/")).json()["job_id"] == job_id
    assert len(asked) == 1


async def test_what_was_deleted_is_not_shown(
    client: httpx2.AsyncClient, database: Database, dsn: str
) -> None:
    first, second = await stored(database), await stored(database)
    await shown(client, second)

    await execute(dsn, DELETE_NEWEST)
    await shown(client, first)

    await execute(dsn, "TRUNCATE job CASCADE")
    await shown(client, None)


@pytest.mark.parametrize("path", ["/jobs/{}", "/jobs", "/summaries/{}", "/summaries"])
async def test_what_a_caller_was_shown_is_not_forgotten(
    client: httpx2.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Even if the notice is late."""
    await shown(client, await stored(database))
    monkeypatch.setattr(Notices, "_tell", lambda *_: None)
    job_id = await stored(database)

    assert job_id in (await client.get(path.format(job_id))).text

    assert (await client.get("/")).json()["job_id"] == job_id


async def test_what_was_read_before_a_deletion_is_not_kept(
    client: httpx2.AsyncClient, database: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await stored(database), await stored(database)
    await shown(client, second)
    read, go_on = asyncio.Event(), asyncio.Event()
    original = SummaryStore.newest

    async def slow(store: SummaryStore, source: str) -> Any:
        found = await original(store, source)
        read.set()
        await go_on.wait()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(SummaryStore, "newest", slow)
        patch.setattr(Notices, "age", 99.0)
        late = asyncio.create_task(client.get("/"))
        await read.wait()
    await execute(dsn, DELETE_NEWEST)
    await shown(client, first)
    go_on.set()

    assert (await late).json()["job_id"] == second
    assert (await client.get("/")).json()["job_id"] == first


async def test_is_not_older_than_it_may_be(
    asked: list[str], app: CheckedApi, tmp_path: Path
) -> None:
    """While Postgres is away, and when it is back."""
    with folder.hold(tmp_path / "servers") as held:
        with servers.run(held) as running:
            dsn = running.postgres_dsn
            await migrate(dsn)
        async with (
            Database(dsn) as database,
            app.serve(postgres_dsn=dsn) as client,
        ):
            with servers.run(held):
                first = await stored(database)
                await shown(client, first)
                await remembered(client, asked)
            begin = time.monotonic()
            async with asyncio.timeout(20):
                while (answer := await client.get("/")).status_code == 200:
                    assert answer.json()["job_id"] == first
                    await asyncio.sleep(0)  # without it nothing here would ever wait
            assert time.monotonic() - begin < STALENESS + 1
            assert answer.status_code == 503
            assert (await client.get("/sources")).status_code == 503
            with servers.run(held):
                newer = await stored(database)
                await shown(client, newer)


@pytest.fixture
def passed_on(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths of the requests that were not answered from memory."""
    found: list[str] = []
    original = Compression.__call__

    async def noted(app: Compression, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            found.append(scope["path"])
        await original(app, scope, receive, send)

    monkeypatch.setattr(Compression, "__call__", noted)
    return found


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("name", ["Sacramento", "x" * 2000], ids=["small", "large"])
async def test_memory_answers_as_the_route_does(  # noqa: PLR0913, PLR0917 - fixtures
    client: httpx2.AsyncClient,
    database: Database,
    passed_on: list[str],
    asked: list[str],
    added: list[str],
    method: str,
    condition: dict[str, str],
    name: str,
) -> None:
    await known(client, database, asked, added, (Point(38.5, -121.5, name),))
    etag = (await client.get("/")).headers["etag"]
    headers = {name: value.format(etag=etag) for name, value in condition.items()}
    passed_on.clear()

    memory = await client.request(method, "/", headers=headers)
    assert passed_on == ([] if name == "Sacramento" else ["/"])
    route = await client.request(method, "/?source=demo", headers=headers)
    assert passed_on[-1:] == ["/"]

    assert (memory.status_code, memory.content) == (route.status_code, route.content)
    assert lasting(memory) == lasting(route)


def lasting(answer: httpx2.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "x-request-id"}


@pytest.mark.usefixtures("patient")
async def test_an_answer_from_memory_is_counted_and_logged(  # noqa: PLR0913, PLR0917 - fixtures
    client: httpx2.AsyncClient,
    database: Database,
    passed_on: list[str],
    asked: list[str],
    added: list[str],
    events: list[dict[str, Any]],
) -> None:
    await known(client, database, asked, added)
    before = await scraped(client, "mousetrap_http_request_seconds_count")
    passed_on.clear()
    events.clear()

    answer = await client.get("/")
    await client.head("/")
    await client.get("/", headers={"If-None-Match": "*"})

    assert passed_on == []
    after = await scraped(client, "mousetrap_http_request_seconds_count")
    assert after["GET", "/", "200"] == before["GET", "/", "200"] + 1
    assert after["HEAD", "/", "200"] == after["GET", "/", "304"] == 1
    lines = [(it["method"], it["path"], it["status"]) for it in events[:3]]
    assert lines == [("GET", "/", 200), ("HEAD", "/", 200), ("GET", "/", 304)]
    assert events[0]["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
