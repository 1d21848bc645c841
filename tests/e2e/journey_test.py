"""The journey of a newcomer, through all processes."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from support.system import READY, System, up


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with up(tmp_path_factory.mktemp("journey")) as started:
        started.wait_for(READY)
        yield started


def test_first_refresh_gives_the_first_summary(system: System) -> None:
    assert system.http.get("/").json() == {}

    answer = system.http.post("/refresh")
    job = answer.headers["location"]

    assert answer.status_code == 202
    assert answer.json() == {"status": "ok", "job_id": job.split("/")[-1], "source": "demo"}
    assert system.ended(job)["state"] == "succeeded"
    summary = system.http.get("/").json()
    assert summary["job_id"] == answer.json()["job_id"]
    assert summary["source"] == "demo"
    assert summary["count"] == 100


def test_lines_of_all_processes_about_a_job_carry_its_id(system: System) -> None:
    job_id = system.refresh().split("/")[-1]

    told = set[str]()
    while not told >= {"api", "fetch_worker", "process_worker"}:
        told.add(system.wait_for(job_id).split("|")[0].strip())


def test_documentation_needs_no_other_host(system: System) -> None:
    page = system.http.get("/docs")
    document = system.http.get("/docs/openapi.json").raise_for_status().json()

    assert page.status_code == 200
    assert "://" not in page.text.replace("http://www.w3.org/", "")
    assert set(document["paths"]) >= {"/", "/refresh", "/jobs", "/jobs/{job_id}", "/summaries"}


def test_unknown_source_is_a_problem_that_says_what_to_do(system: System) -> None:
    answer = system.http.post("/refresh", json={"source": "nowhere"})

    assert answer.status_code in {400, 404, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert "nowhere" in answer.text


def test_every_process_is_ready(system: System) -> None:
    report = system.http.get("/health/ready").raise_for_status().json()

    assert set(report["checks"].values()) == {"ok"}
    assert system.http.get("/health/live").status_code == httpx2.codes.OK


def test_data_outlives_the_system(tmp_path: Path) -> None:
    with up(tmp_path) as first:
        first.wait_for(READY)
        first.ended(first.refresh())
        before = first.http.get("/").json()
        assert first.stop() == 130
    with up(tmp_path) as second:
        second.wait_for(READY)
        assert second.http.get("/").json() == before
        assert second.stop() == 130
    with up(tmp_path, "--fresh") as third:
        third.wait_for(READY)
        assert third.http.get("/").json() == {}


def test_servers_of_the_environment_are_used(
    tmp_path: Path, postgres_dsn: str, redis_url: str
) -> None:
    with up(
        tmp_path / "unused",
        "--services-from-environment",
        MOUSETRAP_POSTGRES_DSN=postgres_dsn,
        MOUSETRAP_REDIS_URL=redis_url,
    ) as started:
        started.wait_for(READY)
        assert started.ended(started.refresh())["state"] == "succeeded"
        assert started.stop() == 130
    assert not (tmp_path / "unused").exists()
