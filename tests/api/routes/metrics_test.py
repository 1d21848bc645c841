import httpx2

from api.conftest import NOWHERE_URL, CheckedApi
from mousetrap.api.http.limits import Limits, Receive, Scope, Send
from mousetrap.api.metrics import ApiMetrics
from mousetrap.queue.circuits import FAILURES, Circuits
from support.probes import scraped
from support.streams import until


async def test_counts_requests_by_the_template_of_their_path(client: httpx2.AsyncClient) -> None:
    for path in ("/", "/", "/jobs/00000000-0000-0000-0000-000000000000", "/nowhere/1", "/x?y=1"):
        await client.get(path)
    await client.head("/sources")
    await client.request("DELETE", "/")
    await client.request("BREW", "/")

    counted = await scraped(client, "mousetrap_http_request_seconds_count")

    assert counted == {
        ("GET", "/", "200"): 2,
        ("GET", "/jobs/{job_id}", "404"): 1,
        ("GET", "unmatched", "404"): 2,
        ("HEAD", "/sources", "200"): 1,
        ("DELETE", "unmatched", "405"): 1,
        ("other", "unmatched", "405"): 1,
    }


async def test_shows_the_queues_and_the_backlog(client: httpx2.AsyncClient) -> None:
    await client.post("/refresh")

    assert await scraped(client, "mousetrap_queue_messages") == {("fetch",): 1, ("process",): 0}
    assert await scraped(client, "mousetrap_queue_workers") == {("fetch",): 0, ("process",): 0}
    assert await scraped(client, "mousetrap_jobs_accepted_total") == {("demo",): 1}
    assert await scraped(client, "mousetrap_backlog_jobs") == {(): 1}


async def test_shows_which_sources_are_only_probed(
    client: httpx2.AsyncClient, redis_url: str
) -> None:
    async with Circuits(redis_url) as circuits:
        await circuits.failed("demo", "timeout", interval=60)
        for _ in range(FAILURES):
            await circuits.failed("earthquakes", "timeout", interval=60)
            await circuits.failed("unknown", "timeout", interval=60)

    shown = await scraped(client, "mousetrap_source_circuit_open")

    assert shown == {("demo",): 0, ("earthquakes",): 1}


async def test_shows_the_pool(client: httpx2.AsyncClient) -> None:
    await client.get("/")

    assert sum((await scraped(client, "mousetrap_pool_connections")).values()) > 0
    assert await scraped(client, "mousetrap_pool_limit") == {(): 5}

    async def nobody_waits() -> bool:  # for a first connection
        return await scraped(client, "mousetrap_pool_waiting") == {(): 0}

    await until(nobody_waits)


async def test_a_queue_that_is_away_is_absent(app: CheckedApi) -> None:
    async with app.serve(redis_url=NOWHERE_URL) as client:
        assert await scraped(client, "mousetrap_queue_messages") == {}
        assert await scraped(client, "mousetrap_source_circuit_open") == {}


async def test_counts_what_is_refused(app: CheckedApi) -> None:
    async with app.serve(backlog_limit=1) as client:
        answers = [(await client.post("/refresh")).status_code for _ in range(3)]

        refused = await scraped(client, "mousetrap_requests_refused_total")

    assert answers == [202, 503, 503]
    assert refused == {("backlog-full",): 2, ("overloaded",): 0}


async def test_is_answered_when_nothing_else_is() -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    metrics = ApiMetrics()
    transport = httpx2.ASGITransport(Limits(app, metrics, max_in_flight=0))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        answers = [(await client.get(path)).status_code for path in ("/metrics", "/", "/")]

    assert answers == [204, 503, 503]
    overloaded = metrics.registry.get_sample_value(
        "mousetrap_requests_refused_total", {"code": "overloaded"}
    )
    assert overloaded == 2
