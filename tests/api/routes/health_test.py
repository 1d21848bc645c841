from pathlib import Path

import httpx2
import pytest

from api.conftest import CheckedApi
from mousetrap.api.app import Api
from mousetrap.api.schema.health import CHECKS
from mousetrap.stack.folder import hold
from mousetrap.stack.servers import Servers
from support import pgbouncer
from support.probes import settled


async def test_is_alive(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/health/live")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_is_ready_when_everything_can_be_reached(client: httpx2.AsyncClient) -> None:
    answer = await settled(client)

    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": dict.fromkeys(CHECKS, "ok")}


@pgbouncer.NEEDED
async def test_a_pooler_that_keeps_no_sessions_is_the_reason(
    app: CheckedApi, servers: Servers, tmp_path: Path
) -> None:
    mode = {"pool_mode": "transaction"}
    with (
        hold(tmp_path / "pooler") as folder,
        pgbouncer.running(folder, servers.sockets, mode) as host,
    ):
        dsn = f"{app.settings.postgres_dsn.partition('?')[0]}?{host}"
        async with app.serve(postgres_dsn=dsn) as client:
            answer = await settled(client)
            jobs = await client.get("/jobs")

    assert answer.status_code == 503
    assert answer.json()["checks"]["postgres"].startswith("PoolerError: A pooler in front of")
    assert (jobs.status_code, jobs.json()["type"]) == (503, "urn:mousetrap:problem:unavailable")


@pytest.mark.parametrize(
    ("away", "missing", "there"),
    [
        ({"postgres_dsn": "postgresql://postgres@/x?host=/nonexistent"}, "postgres", "redis"),
        ({"redis_url": "unix:///nonexistent/valkey"}, "redis", "postgres"),
    ],
    ids=["postgres", "redis"],
)
async def test_is_alive_but_not_ready_without_a_dependency(
    app: CheckedApi, away: dict[str, str], missing: str, there: str
) -> None:
    async with app.serve(**away) as client:
        answer = await settled(client)
        alive = await client.get("/health/live")

    assert alive.status_code == 200
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:mousetrap:problem:not-ready"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["checks"][there] == "ok"
    assert "UnavailableError" in answer.json()["checks"][missing]


async def test_is_not_ready_before_the_schema_is_there(app: CheckedApi, postgres_dsn: str) -> None:
    async with app.serve(postgres_dsn=postgres_dsn) as client:
        answer = await settled(client)
        newest = await client.get("/")

    assert answer.status_code == 503
    assert "SchemaError" in answer.json()["checks"]["postgres"]
    assert newest.status_code == 503
    assert newest.json()["type"] == "urn:mousetrap:problem:unavailable"


async def test_is_not_ready_any_more_when_it_is_told_to_stop(unwired: Api) -> None:
    unwired.health.drain()

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(unwired.asgi), base_url="http://mousetrap.test"
    ) as client:
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get("/health/live")).status_code == 200
