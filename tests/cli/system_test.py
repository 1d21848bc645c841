"""Every command in front of the whole system."""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from cli.conftest import Command
from support.system import READY, System, up

SOURCES = """\
default = "demo"
[sources.demo]
kind = "faker"
count = 7
[sources.broken]
kind = "geojson"
url = "http://127.0.0.1:99999/"
[sources.fresh]
kind = "faker"
[sources.silent]
kind = "geojson"
url = "http://127.0.0.1:{port}/"
allow_private = true
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("cli")
    # Connections come into being, and nothing is ever said on them.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sources = folder / "sources.toml"
        sources.write_text(SOURCES.format(port=silent.getsockname()[1]))
        with up(folder / "data", f"--sources={sources}") as started:
            started.wait_for(READY)
            yield started


@pytest.fixture
def url(system: System) -> str:
    return str(system.http.base_url)


async def test_latest_says_how_to_come_by_a_first_summary(mousetrap: Command, url: str) -> None:
    done = await mousetrap.run("--url", url, "latest", "--source", "silent")

    assert (done.code, done.out) == (6, "")
    assert "`mousetrap refresh silent` requests one" in done.err


async def test_a_refresh_is_followed_to_its_summary(mousetrap: Command, url: str) -> None:
    done = await mousetrap.run("--url", url, "refresh", "--wait")

    assert done.code == 0, done.err
    stages = done.err.splitlines()
    assert stages[0] == "queued"
    assert stages[-1].startswith("queued → fetched ")
    assert " → stored " in stages[-1]
    lines = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert (lines["source"], lines["points"]) == ("demo", "7")
    latest = await mousetrap.run("--url", url, "latest")
    assert latest.out == done.out
    again = await mousetrap.run("--url", url, "summary", lines["job"])
    assert again.out == done.out


async def test_a_summary_that_there_is_not_has_an_exit_code_of_its_own(
    mousetrap: Command, url: str
) -> None:
    done = await mousetrap.run("--url", url, "summary", str(uuid4()))

    assert (done.code, done.out) == (6, "")
    assert "`mousetrap job JOB` shows whether it will have one" in done.err


async def test_summaries_are_listed(mousetrap: Command, url: str) -> None:
    for _ in range(2):
        await mousetrap.run("--url", url, "refresh", "fresh", "--wait")

    table = await mousetrap.run("--url", url, "summaries", "-s", "fresh", "-n", "2")
    one = await mousetrap.run("--url", url, "summaries", "-s", "fresh", "-n", "1", "--json")
    none = await mousetrap.run("--url", url, "summaries", "--until", "2020-01-01T00:00:00Z")

    header, *rows = table.out.splitlines()
    assert header.split()[:4] == ["JOB", "SOURCE", "REQUESTED", "POINTS"]
    assert len(rows) == 2
    assert rows[0].split()[0] == json.loads(one.out)["job_id"]
    assert len(none.out.splitlines()) == 1


async def test_status_is_the_system_in_one_screen(mousetrap: Command, url: str) -> None:
    await mousetrap.run("--url", url, "refresh", "--wait")
    await mousetrap.run("--url", url, "refresh", "broken", "--wait")

    told = (await mousetrap.run("--url", url, "status")).out
    document = json.loads((await mousetrap.run("--url", url, "status", "--json")).out)

    lines = {line.split()[0]: line for line in told.splitlines() if line}
    assert told.startswith(f"{url}\n")
    assert lines["fetch"].split() == ["fetch", "0", "-", "1"]
    assert lines["demo"].endswith("fresh")
    assert "failing: bad-url: " in lines["broken"]
    assert document["url"] == url
    assert {it["name"] for it in document["sources"]} == {"broken", "demo", "fresh", "silent"}


@pytest.mark.parametrize("command", ["jobs", "latest", "refresh", "summaries", "watch"])
async def test_a_source_that_there_is_not_is_refused_with_the_nearest(
    mousetrap: Command, url: str, command: str
) -> None:
    named = ["dmeo"] if command == "refresh" else ["--source", "dmeo"]
    done = await mousetrap.run("--url", url, command, *named)

    assert (done.code, done.out) == (4, "")
    assert done.err.endswith("there is no source 'dmeo': did you mean demo?\n")


async def test_with_json_the_answers_are_those_of_the_api(
    mousetrap: Command, url: str, system: System
) -> None:
    waited = json.loads((await mousetrap.run("--url", url, "--json", "refresh", "--wait")).out)
    latest = json.loads((await mousetrap.run("--url", url, "latest", "--json")).out)

    assert waited == system.http.get(f"/jobs/{waited['job_id']}").json()
    assert latest == system.http.get("/").json()
    assert latest["job_id"] == waited["job_id"]


async def test_the_same_key_is_the_same_job(mousetrap: Command, url: str) -> None:
    key = str(uuid4())
    first, second, other = [
        json.loads((await mousetrap.run("--url", url, "--json", "refresh", *more)).out)
        for more in (("--idempotency-key", key), ("--idempotency-key", key), ())
    ]

    assert second == {**first, "repeated": True}
    assert other["job_id"] != first["job_id"]


async def test_a_job_that_fails_is_told_with_its_reason(mousetrap: Command, url: str) -> None:
    done = await mousetrap.run("--url", url, "refresh", "broken", "--wait")

    assert (done.code, done.out) == (1, "")
    last = done.err.splitlines()[-1]
    assert last.startswith("mousetrap: the job has failed: bad-url: ")
    assert "port 99999" in last
    assert "`mousetrap retry " in last


async def test_a_failed_job_is_shown_and_retried(mousetrap: Command, url: str) -> None:
    done = await mousetrap.run("--url", url, "--json", "refresh", "broken", "--wait")
    job = json.loads(done.out)
    assert (done.code, job["state"], job["error"]["code"]) == (1, "failed", "bad-url")

    shown = await mousetrap.run("--url", url, "job", job["job_id"])
    retried = await mousetrap.run("--url", url, "retry", job["job_id"], "--wait", "--json")

    assert shown.code == 0
    assert "attempt 1  bad-url: " in shown.out
    assert retried.code == 1
    assert json.loads(retried.out)["attempts"] == 2


async def test_what_the_api_refuses_is_one_line(mousetrap: Command, url: str) -> None:
    unknown = await mousetrap.run("--url", url, "refresh", "nowhere")
    [job] = [json.loads((await mousetrap.run("--url", url, "--json", "refresh", "--wait")).out)]
    early = await mousetrap.run("--url", url, "retry", job["job_id"])
    missing = await mousetrap.run("--url", url, "job", str(uuid4()))
    wrong = await mousetrap.run("--url", url, "jobs", "--source", "No Name")

    assert {it.code for it in (unknown, early, missing, wrong)} == {4}
    assert {it.err.count("\n") for it in (unknown, early, missing, wrong)} == {1}
    assert unknown.err.startswith("mousetrap: Unknown source: ")
    assert early.err.startswith("mousetrap: Job has not failed: ")
    assert missing.err.startswith("mousetrap: Unknown job: ")
    assert wrong.err.startswith("mousetrap: Unknown source: ")
    told = unknown.err + early.err + missing.err
    assert not re.search("GET|POST", told)
    assert "`mousetrap sources`" in unknown.err


async def test_jobs_are_listed_in_pages_of_one_list(mousetrap: Command, url: str) -> None:
    wanted = [
        json.loads((await mousetrap.run("--url", url, "--json", "refresh", "fresh", "--wait")).out)
        for _ in range(3)
    ]
    newest = [job["job_id"] for job in reversed(wanted)]
    only = ("--url", url, "jobs", "--source", "fresh")

    two = await mousetrap.run(*only, "--limit", "2", "--json")
    failed = await mousetrap.run(*only, "--state", "failed", "--json")
    table = await mousetrap.run(*only, "--all", "--state", "succeeded")
    asked = json.loads((await mousetrap.run("--url", url, "job", newest[1], "--json")).out)
    later = await mousetrap.run(*only, "--since", asked["requested_at"], "--json")
    earlier = await mousetrap.run(*only, "--until", asked["requested_at"], "-n", "1", "--json")

    assert [json.loads(line)["job_id"] for line in two.out.splitlines()] == newest[:2]
    assert failed.out == ""
    assert [json.loads(line)["job_id"] for line in later.out.splitlines()] == newest[:2]
    assert json.loads(earlier.out)["job_id"] == newest[2]
    header, *rows = table.out.splitlines()
    assert header.split() == ["JOB", "SOURCE", "STATE", "ATTEMPTS", "REQUESTED", "TOOK", "ERROR"]
    assert [row.split()[0] for row in rows][:3] == newest


async def test_sources_are_listed(mousetrap: Command, url: str) -> None:
    await mousetrap.run("--url", url, "refresh", "--wait")

    table = await mousetrap.run("--url", url, "sources")
    lines = await mousetrap.run("--url", url, "sources", "--json")

    rows = [row.split() for row in table.out.splitlines()]
    assert rows[0] == ["SOURCE", "KIND", "EVERY", "CIRCUIT", "POINTS", "NEWEST"]
    assert rows[1] == ["broken", "geojson", "on", "request", "closed", "-", "-"]
    assert rows[2][:7] == ["demo", "(default)", "faker", "on", "request", "closed", "7"]
    names = [json.loads(line)["name"] for line in lines.out.splitlines()]
    assert names == ["broken", "demo", "fresh", "silent"]


async def test_there_are_no_dead_letters_as_long_as_all_is_well(
    mousetrap: Command, url: str
) -> None:
    table = await mousetrap.run("--url", url, "dead-letters")

    assert table.out.split() == ["BURIED", "QUEUE", "JOB", "DELIVERIES", "BYTES", "REASON"]
    assert (await mousetrap.run("--url", url, "dead-letters", "--json")).out == ""


async def test_a_job_that_takes_too_long_is_left_to_go_on(mousetrap: Command, url: str) -> None:
    done = await mousetrap.run("--url", url, "refresh", "silent", "--wait", "--timeout", "1")

    assert (done.code, done.out) == (5, "")
    assert "has not ended within 1 s and continues: `mousetrap job " in done.err.splitlines()[-1]


async def test_the_url_may_come_from_the_environment(
    mousetrap: Command, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOUSETRAP_URL", "http://127.0.0.1:9")
    assert (await mousetrap.run("sources")).code == 3
    assert (await mousetrap.run("sources", "--url", url)).code == 0

    monkeypatch.setenv("MOUSETRAP_URL", f"{url}/")
    assert (await mousetrap.run("sources")).code == 0


async def test_watch_shows_what_happens_to_a_job(mousetrap: Command, url: str) -> None:
    child = mousetrap.start("watch", "--json", "--source", "demo", "--url", url)
    assert child.stdout is not None
    assert child.stderr is not None
    assert await asyncio.to_thread(child.stderr.readline) == f"watching {url}\n"

    await mousetrap.run("--url", url, "refresh", "broken")
    job = json.loads((await mousetrap.run("--url", url, "--json", "refresh", "--wait")).out)

    del job["failed_attempts"], job["feed"], job["next_attempt_at"]
    del job["links"]["log"], job["links"]["trace"]
    shown: list[Any] = []
    while not shown or shown[-1]["state"] == "queued":
        shown.append(json.loads(await asyncio.to_thread(child.stdout.readline)))
    assert shown[-1] == job
    assert {it["job_id"] for it in shown} == {job["job_id"]}
