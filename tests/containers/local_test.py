"""`docker compose up`: the whole system on one machine, from its images."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from containers.conftest import stopped
from containers.docker import Api, Stack, attempt, docker, inspect, until
from mousetrap.stack import ports
from support.system import READY, up

DATA = ("postgres", "valkey")
PROCESSES = ("api", "fetch-worker", "process-worker")


@pytest.fixture(scope="module")
def admin_port() -> int:
    return ports.free(1)[0]


@pytest.fixture(scope="module")
def stack(deploy: Path, sources: Path, port: int, admin_port: int) -> Iterator[Stack]:
    env = os.environ | {
        "API_PORT": str(port),
        "ADMIN_PORT": str(admin_port),
        "SOURCES_FILE": str(sources),
        "COMPOSE_PROJECT_NAME": "mousetrap-test-local",
    }
    found = Stack(deploy.parent / "compose.yaml", env, profiles=["admin"])
    try:
        found.up()
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def api(stack: Stack, port: int) -> Iterator[Api]:  # noqa: ARG001 - it has to be up
    with Api(port) as found:
        yield found


def test_first_refresh_gives_the_first_summary(api: Api) -> None:
    assert api.newest() == {}

    job = api.refresh()

    assert api.ended(job)["state"] == "succeeded"
    assert api.newest()["count"] == 7
    assert f"/jobs/{api.newest()['job_id']}" == job


def test_real_input_is_fetched_over_http(api: Api, feed: str) -> None:
    docker("network", "connect", "--alias", "feed", "mousetrap-test-local_default", feed)

    job = api.ended(api.refresh(source="earthquakes"))
    docker("network", "disconnect", "mousetrap-test-local_default", feed)

    assert job["state"] == "succeeded"
    summary = api.newest(source="earthquakes")
    assert summary["count"] == 1707
    assert summary["most_northerly"]["name"] == "M 5.2 - 219km NE of Nord, Greenland"


def test_documentation_renders_in_a_browser(api: Api, tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    assert chromium, "install Chromium"
    page = subprocess.run(
        [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            # No other host can be looked up, so whatever the page shows came from the API.
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            *(f"--user-data-dir={tmp_path}", "--virtual-time-budget=15000", "--dump-dom"),
            f"{api.url}/docs",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout

    assert "opblock-summary-path" in page
    assert "/refresh" in page


def test_admin_page_shows_the_tables(stack: Stack, admin_port: int) -> None:
    assert stack.inspect("admin")["State"]["Health"]["Status"] == "healthy"
    url = f"http://127.0.0.1:{admin_port}"
    with httpx2.Client(base_url=url, timeout=20, trust_env=False) as http:
        assert http.get("/admin", follow_redirects=True).url.path == "/admin/"
        http.get("/admin/public/login/")
        token = {"X-CSRFToken": http.cookies["csrftoken"]}
        account = {"username": "admin", "password": "mousetrap"}
        http.post("/admin/public/login/", json=account, headers=token).raise_for_status()
        assert http.get("/admin/api/tables/job/").raise_for_status().json()["rows"]


@pytest.mark.parametrize("service", [*PROCESSES, "admin"])
def test_images_say_what_they_are_and_run_as_nobody(stack: Stack, service: str) -> None:
    container = stack.inspect(service)
    labels = {
        name.removeprefix("org.opencontainers.image."): value
        for name, value in inspect(container["Image"])["Config"]["Labels"].items()
    }

    assert container["Config"]["User"] == "65532:65532"
    assert container["HostConfig"]["ReadonlyRootfs"]
    assert labels["title"] == f"mousetrap/{service}"
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", labels["revision"])
    assert labels["created"] == "2023-11-14T22:13:20Z"
    assert {"source", "version", "licenses"} <= set(labels)


@pytest.mark.parametrize("service", ["fetch-worker", "process-worker", "api"])
def test_health_is_being_connected_not_just_running(stack: Stack, service: str) -> None:
    check = ("/app/bin/python", "-m", "mousetrap.telemetry.check", "8000")
    [container] = stack.containers(service)

    def says(code: int) -> bool:
        return attempt("exec", container, *check).returncode == code

    until(lambda: says(0), deadline=30)
    stack("stop", "valkey")
    try:
        until(lambda: says(1), deadline=30)
    finally:
        stack.up("valkey")
    until(lambda: says(0), deadline=30)


@pytest.mark.parametrize("service", [*PROCESSES, *DATA])
def test_restart_of_a_service_loses_nothing(stack: Stack, api: Api, service: str) -> None:
    jobs = [api.refresh() for _ in range(30)]

    stack("restart", service)
    stack.up()

    assert {api.ended(job)["state"] for job in jobs} == {"succeeded"}
    assert api.ended(api.refresh())["state"] == "succeeded"


@pytest.mark.parametrize("service", [*PROCESSES, "admin"])
def test_drains_when_told_to_stop(stack: Stack, api: Api, service: str) -> None:
    jobs = [api.refresh() for _ in range(30)]
    begin = time.monotonic()
    try:
        assert stopped(stack, service) == 0
        assert time.monotonic() - begin < 10, "it was not killed, but it did not hurry either"
    finally:
        stack.up()
    assert {api.ended(job)["state"] for job in jobs} == {"succeeded"}


def test_data_outlives_the_containers(stack: Stack, api: Api) -> None:
    api.ended(api.refresh())
    before = api.newest()

    stack("down")
    stack.up()

    assert api.newest() == before
    assert api.ended(api.refresh())["state"] == "succeeded"


def test_every_process_can_be_scaled(
    stack: Stack, deploy: Path, sources: Path, admin_port: int
) -> None:
    first = next(port for port in range(18000, 28000, 2) if _free(port) and _free(port + 1))
    env = os.environ | {
        "API_PORT": f"{first}-{first + 1}",
        "ADMIN_PORT": str(admin_port),
        "SOURCES_FILE": str(sources),
        "COMPOSE_PROJECT_NAME": "mousetrap-test-local",
    }
    scaled = Stack(deploy.parent / "compose.yaml", env)
    scaled.up(*(f"--scale={name}" for name in ("fetch-worker=3", "process-worker=2", "api=2")))

    assert len(stack.containers("fetch-worker")) == 3
    assert len(stack.containers("process-worker")) == 2
    with Api(first) as one, Api(first + 1) as other:
        jobs = [api.refresh() for _ in range(20) for api in (one, other)]
        assert {one.ended(job)["state"] for job in jobs} == {"succeeded"}
    for service, event in (("fetch-worker", "request answered"), ("process-worker", "outcome")):
        for container in stack.containers(service):
            assert event in docker("logs", "--since=1m", container), f"{service} got nothing to do"


def _free(port: int) -> bool:
    try:
        ports.require_free(port)
    except Exception:  # noqa: BLE001 - whatever it is, it is not free
        return False
    return True


def test_development_has_the_servers_for_code_that_runs_on_the_host(
    deploy: Path, tmp_path: Path
) -> None:
    postgres, valkey = ports.free(2)
    env = os.environ | {
        "POSTGRES_PORT": str(postgres),
        "VALKEY_PORT": str(valkey),
        "COMPOSE_PROJECT_NAME": "mousetrap-test-development",
    }
    servers = Stack(deploy / "development.yaml", env)
    owner = "mousetrap_owner:mousetrap"
    try:
        servers.up()
        with up(
            tmp_path,
            "--services-from-environment",
            MOUSETRAP_POSTGRES_DSN=f"postgresql://{owner}@127.0.0.1:{postgres}/mousetrap",
            MOUSETRAP_REDIS_URL=f"redis://127.0.0.1:{valkey}/0",
        ) as system:
            system.wait_for(READY)
            assert system.ended(system.refresh())["state"] == "succeeded"
    finally:
        servers.close()
