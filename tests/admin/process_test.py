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
    async with connected(port) as client:
        yield client


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client of the page once it is ready."""
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


async def test_page_can_be_framed_by_nobody_and_runs_nothing_else(http: httpx2.AsyncClient) -> None:
    for path in ("/admin/", "/admin/api/tables/", "/health/live"):
        headers = (await http.get(path)).headers
        [policy] = headers.get_list("content-security-policy")
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'self'" in policy
        assert "script-src" not in policy
        assert headers["x-frame-options"] == "DENY"


async def test_logins_are_logged_without_passwords(
    process: Process, http: httpx2.AsyncClient
) -> None:
    await login(http, "wrong horse")
    await login(http, PASSWORD)

    refused = await process.logged("a login was refused", peer="127.0.0.1")
    accepted = await process.logged("a person has logged in", peer="127.0.0.1")
    assert (refused["status"], accepted["status"]) == (401, 200)
    assert "horse" not in str(process.lines)


async def test_wrong_passwords_of_one_peer_lock_out_nobody_else(
    http: httpx2.AsyncClient, port: int
) -> None:
    statuses = [(await login(http, "wrong horse")).status_code for _ in range(25)]
    transport = httpx2.AsyncHTTPTransport(local_address="127.0.0.2")
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=10
    ) as other:
        right = await login(other, PASSWORD)

    assert statuses[0] == httpx2.codes.UNAUTHORIZED
    assert statuses[-1] == httpx2.codes.TOO_MANY_REQUESTS
    assert right.is_success


@pytest.mark.parametrize(("proxies", "suffix"), [("127.0.0.0/8", "; Secure"), ("10.0.0.1", "")])
async def test_cookies_are_kept_to_https_where_a_named_proxy_offers_it(
    migrated_dsn: str, port: int, proxies: str, suffix: str
) -> None:
    settings: dict[str, str | None] = {
        "postgres_dsn": migrated_dsn,
        "admin_password": PASSWORD,
        "port": str(port),
        "allowed_hosts": "admin.example",
        "trusted_proxies": proxies,
    }
    async with running("admin", settings=settings), connected(port) as http:
        http.headers |= {"X-Forwarded-Proto": "https", "Origin": "https://admin.example"}
        page = await http.get("/admin/public/login/")
        # A client does not return a cookie of https by http, as to the proxy.
        token = page.headers["set-cookie"].partition(";")[0].removeprefix("csrftoken=")
        answer = await http.post(
            "/admin/public/login/",
            json={"username": "admin", "password": PASSWORD},
            headers={"X-CSRFToken": token, "Cookie": f"csrftoken={token}"},
        )

    assert answer.is_success
    for cookie in (page.headers["set-cookie"], answer.headers["set-cookie"]):
        assert cookie.endswith(suffix)
        assert ("Secure" in cookie) is bool(suffix)
