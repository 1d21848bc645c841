"""The whole process: who gets in, what there is to see, and that nothing can be changed."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator

import httpx2
import pytest

from mousetrap.stack import ports
from mousetrap.store.database import Database
from support.processes import Process, python, running
from support.samples import succeeded

PASSWORD = "correct horse"  # noqa: S105 - no password of anything


# Its checks fail in a way that nobody expected.
BROKEN = """
import sys
from mousetrap.admin.__main__ import main
from mousetrap.telemetry.health import Health

async def fail(_):
    raise ZeroDivisionError("surprise")

Health.watch = fail
sys.exit(main([]))
"""


@pytest.fixture
def port() -> int:
    return ports.free(1)[0]


@pytest.fixture
async def process(migrated_dsn: str, port: int) -> AsyncIterator[Process]:
    settings: dict[str, str | None] = {
        "postgres_dsn": migrated_dsn,
        "admin_password": PASSWORD,
        "port": str(port),
    }
    async with running("admin", settings=settings) as started:
        yield started


@pytest.fixture
async def http(
    process: Process, port: int  # noqa: ARG001 - it has to run
) -> AsyncIterator[httpx2.AsyncClient]:
    url = f"http://127.0.0.1:{port}"
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=10) as client:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(httpx2.TransportError):
                    if (await client.get("/health/ready")).status_code == httpx2.codes.OK:
                        break
                await asyncio.sleep(0.05)
        yield client


async def login(http: httpx2.AsyncClient, password: str) -> httpx2.Response:
    await http.get("/admin/public/login/")
    return await http.post(
        "/admin/public/login/",
        json={"username": "admin", "password": password},
        headers={"X-CSRFToken": http.cookies.get("csrftoken") or ""},
    )


@pytest.mark.parametrize("path", ["/", "/admin"])
async def test_page_is_found_and_needs_no_other_host(http: httpx2.AsyncClient, path: str) -> None:
    page = await http.get(path, follow_redirects=True)

    assert page.url.path == "/admin/"
    assert page.status_code == httpx2.codes.OK
    assert "://" not in page.text


async def test_nobody_gets_in_without_the_password(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/admin/api/tables/")).status_code == httpx2.codes.UNAUTHORIZED
    assert (await login(http, "wrong horse")).status_code == httpx2.codes.UNAUTHORIZED
    assert (await http.get("/admin/api/tables/")).status_code == httpx2.codes.UNAUTHORIZED


async def test_jobs_and_summaries_can_be_seen_and_not_changed(
    http: httpx2.AsyncClient, migrated_dsn: str
) -> None:
    async with Database(migrated_dsn) as database:
        job = await succeeded(database)

    assert (await login(http, PASSWORD)).is_success

    assert set((await http.get("/admin/api/tables/")).json()) == {"job", "summary"}
    [row] = (await http.get("/admin/api/tables/job/")).json()["rows"]
    assert (row["id"], row["state"]) == (str(job.id), "succeeded")
    [row] = (await http.get("/admin/api/tables/summary/")).json()["rows"]
    assert row["job_id"] == str(job.id)

    token = {"X-CSRFToken": http.cookies["csrftoken"]}
    change = {"state": "queued"}
    one, every = f"/admin/api/tables/job/{job.id}/", "/admin/api/tables/job/"
    for method, path in (("PATCH", one), ("PUT", one), ("DELETE", one), ("POST", every)):
        answer = await http.request(method, path, json=change, headers=token)
        assert answer.status_code == httpx2.codes.METHOD_NOT_ALLOWED
    async with Database(migrated_dsn) as database:
        assert await database.jobs.find(job.id)


async def test_stops_when_it_is_told_to(process: Process, http: httpx2.AsyncClient) -> None:
    await http.get("/health/live")

    process.send(signal.SIGTERM)
    code, complaints = await process.end()

    assert code == 0
    assert complaints == ""


async def test_ends_when_its_checks_fail_unexpectedly(migrated_dsn: str, port: int) -> None:
    async with python(
        "-c",
        BROKEN,
        MOUSETRAP_POSTGRES_DSN=migrated_dsn,
        MOUSETRAP_ADMIN_PASSWORD=PASSWORD,
        MOUSETRAP_PORT=str(port),
    ) as broken:
        code, _ = await broken.end()

    assert code == 1
    failure = (broken.all_logged("a loop of this process failed, the process ends"))[0]
    assert "ZeroDivisionError: surprise" in failure["exception"]
