from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from redis.asyncio import Redis

from api.conftest import CheckedApi, Workers, execute, lose_reports
from mousetrap.queue.stages import FETCH
from mousetrap.store.database import Database
from mousetrap.store.engine import Engine
from mousetrap.store.errors import StoreUnavailableError
from support import samples
from support.samples import REPORT
from support.streams import sent


def ids(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 200
    return [job["job_id"] for job in answer.json()["items"]]


async def refresh(client: httpx2.AsyncClient, source: str = "demo") -> str:
    found: str = (await client.post("/refresh", json={"source": source})).json()["job_id"]
    return found


async def test_a_queued_job(client: httpx2.AsyncClient) -> None:
    job_id = await refresh(client, "earthquakes")

    job = (await client.get(f"/jobs/{job_id}")).json()

    assert job.pop("requested_at").endswith("Z")
    assert job.pop("attempts") in {0, 1}
    assert job == {
        "job_id": job_id,
        "source": "earthquakes",
        "state": "queued",
        "fetched_at": None,
        "finished_at": None,
        "scheduled_for": None,
        "error": None,
        "links": {"summary": None, "log": None, "trace": None},
        "failed_attempts": [],
        "next_attempt_at": None,
        "feed": None,
    }


async def test_a_job_that_succeeded_links_to_its_summary(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    job_id = await workers.succeed()

    job = (await client.get(f"/jobs/{job_id}")).json()

    assert (job["state"], job["error"]) == ("succeeded", None)
    assert job["requested_at"] <= job["fetched_at"] <= job["finished_at"]
    assert (await client.get(job["links"]["summary"])).json()["job_id"] == job_id


async def test_a_job_links_to_its_log_lines_and_its_trace(app: CheckedApi) -> None:
    async with app.serve(
        log_link="https://logs.example/search?q={job_id}",
        trace_link="https://traces.example/{trace_id}",
    ) as client:
        job_id = await refresh(client)
        job = (await client.get(f"/jobs/{job_id}")).json()

    assert job["links"] == {
        "summary": None,
        "log": f"https://logs.example/search?q={job_id}",
        "trace": f"https://traces.example/{UUID(job_id).hex}",
    }


async def test_a_job_that_succeeded_tells_how_its_batch_came_about(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    job_id = await workers.succeed()

    job = (await client.get(f"/jobs/{job_id}")).json()
    summary = (await client.get(f"/summaries/{job_id}")).json()

    assert job["feed"] == summary["feed"]
    assert job["feed"]["skipped"]["reasons"] == REPORT.skipped.reasons
    assert (job["feed"]["pages"], job["feed"]["truncated"]) == (REPORT.pages, False)
    assert job["feed"]["warnings"] == list(REPORT.warnings)


async def test_the_job_of_a_summary_without_a_report_has_none(
    client: httpx2.AsyncClient, workers: Workers, dsn: str
) -> None:
    job_id = await workers.succeed()
    await lose_reports(dsn)

    job = (await client.get(f"/jobs/{job_id}")).json()

    assert (job["state"], job["feed"]) == ("succeeded", None)


async def test_a_job_that_failed_says_why(client: httpx2.AsyncClient, workers: Workers) -> None:
    job_id = await workers.fail()

    job = (await client.get(f"/jobs/{job_id}")).json()

    assert job["state"] == "failed"
    assert job["error"] == {
        "code": "timeout",
        "detail": "no answer within 20 s: look at the source",
    }
    assert job["links"]["summary"] is None
    [attempt] = job["failed_attempts"]
    assert (attempt["number"], attempt["error"]) == (1, job["error"])
    assert job["requested_at"] <= attempt["failed_at"] <= job["finished_at"]


async def test_a_job_that_waits_says_when_it_is_tried_again(
    client: httpx2.AsyncClient, database: Database
) -> None:
    job_id: str = (await client.post("/refresh")).json()["job_id"]
    assert (await client.get(f"/jobs/{job_id}")).json()["next_attempt_at"] is None
    await samples.fail(database, UUID(job_id), retryable=True)

    job = (await client.get(f"/jobs/{job_id}")).json()

    assert (job["state"], job["attempts"]) == ("queued", 2)
    assert job["next_attempt_at"] > job["requested_at"]


async def test_a_failed_job_can_be_retried_once(
    client: httpx2.AsyncClient, workers: Workers, raw: Redis
) -> None:
    job_id = await workers.fail()
    before = (await client.get(f"/jobs/{job_id}")).json()
    await raw.flushdb()

    answer = await client.post(f"/jobs/{job_id}/retry")

    assert answer.status_code == 202
    assert answer.json() == {"status": "ok", "job_id": job_id, "source": "demo"}
    assert answer.headers["location"] == f"/jobs/{job_id}"
    job = (await client.get(f"/jobs/{job_id}")).json()
    assert (job["state"], job["attempts"], job["error"]) == ("queued", 2, None)
    assert (job["requested_at"], job["finished_at"]) == (before["requested_at"], None)
    assert job["failed_attempts"] == before["failed_attempts"]
    [request] = await sent(raw, FETCH)
    assert (request.job_id, request.attempt) == (UUID(job_id), 2)
    again = await client.post(f"/jobs/{job_id}/retry")
    assert again.status_code == 409
    assert again.json()["type"] == "urn:mousetrap:problem:not-failed"


async def test_a_retry_whose_answer_from_postgres_is_lost_is_done_once(
    client: httpx2.AsyncClient, workers: Workers, raw: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await workers.fail()
    await raw.flushdb()
    real = Engine.fetch_once

    async def lose_answer(self: Engine, statement: str, *arguments: Any) -> list[Any]:
        monkeypatch.undo()
        await real(self, statement, *arguments)
        raise StoreUnavailableError

    # tests/store/lost_answers_test.py loses a real answer.
    monkeypatch.setattr(Engine, "fetch_once", lose_answer)
    answer = await client.post(f"/jobs/{job_id}/retry")

    assert (answer.status_code, answer.json()["job_id"]) == (202, job_id)
    assert Engine.fetch_once is real  # the answer was lost
    [request] = await sent(raw, FETCH)
    assert (request.job_id, request.attempt) == (UUID(job_id), 2)


async def test_a_job_that_succeeded_is_not_retried(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    answer = await client.post(f"/jobs/{await workers.succeed()}/retry")

    assert answer.status_code == 409
    assert "is succeeded" in answer.json()["detail"]


async def test_a_job_that_does_not_exist_is_not_retried(client: httpx2.AsyncClient) -> None:
    answer = await client.post(f"/jobs/{uuid4()}/retry")

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:mousetrap:problem:unknown-job"


async def test_an_unknown_job(client: httpx2.AsyncClient) -> None:
    job_id = uuid4()

    answer = await client.get(f"/jobs/{job_id}")

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:mousetrap:problem:unknown-job"
    assert str(job_id) in answer.json()["detail"]


async def test_what_is_no_id_is_no_path(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/jobs/42")

    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:mousetrap:problem:not-found"


async def test_lists_the_newest_first(client: httpx2.AsyncClient) -> None:
    accepted = [await refresh(client) for _ in range(3)]

    answer = await client.get("/jobs")

    assert ids(answer) == accepted[::-1]
    assert answer.json()["next"] is None


async def test_filters_by_state_and_source(client: httpx2.AsyncClient, workers: Workers) -> None:
    failed, succeeded = await workers.fail(), await workers.succeed(source="earthquakes")
    queued, other = await refresh(client), await refresh(client, "earthquakes")

    assert ids(await client.get("/jobs?state=failed")) == [failed]
    assert ids(await client.get("/jobs?state=succeeded")) == [succeeded]
    assert ids(await client.get("/jobs?state=queued")) == [other, queued]
    assert ids(await client.get("/jobs?source=earthquakes")) == [other, succeeded]
    assert ids(await client.get("/jobs?source=earthquakes&state=queued")) == [other]


async def test_pages_do_not_move_when_jobs_come_in_between(client: httpx2.AsyncClient) -> None:
    accepted = [await refresh(client) for _ in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}

    while True:
        answer = await client.get("/jobs", params=query)
        seen += ids(answer)
        await refresh(client)
        if answer.json()["next"] is None:
            break
        query["cursor"] = answer.json()["next"]

    assert seen == accepted[::-1]


async def test_a_full_last_page_is_the_last(client: httpx2.AsyncClient) -> None:
    for _ in range(2):
        await refresh(client)

    assert (await client.get("/jobs?limit=2")).json()["next"] is None
    assert (await client.get("/jobs?limit=1")).json()["next"] is not None


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("state=lost", "state"),
        ("state=null", "state"),
        ("state=queued&state=NULL", "state"),
        ("stat=failed", "stat"),
    ],
)
async def test_says_which_parameter_is_wrong(
    client: httpx2.AsyncClient, query: str, name: str
) -> None:
    answer = await client.get(f"/jobs?{query}")

    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:mousetrap:problem:invalid-request"
    [error] = answer.json()["errors"]
    assert (error["name"], error["where"]) == (name, "query")


@pytest.mark.parametrize("state", ["lost", "null"])
async def test_lists_the_states_when_it_does_not_know_one(
    client: httpx2.AsyncClient, state: str
) -> None:
    [error] = (await client.get("/jobs", params={"state": state})).json()["errors"]

    assert error["message"].endswith(": expected one of queued, succeeded, failed")


@pytest.mark.parametrize("path", ["/jobs/abc", "/jobs/abc/retry", "/summaries/abc/points"])
async def test_says_when_a_text_is_no_id(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.request("POST" if path.endswith("retry") else "GET", path)

    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("'abc' is no id: the id of a job is a UUID")


@pytest.mark.parametrize("path", ["/jobs/{}/points", "/summaries/{}/retry"])
async def test_says_nothing_about_an_id_where_there_is_no_route(
    client: httpx2.AsyncClient, path: str
) -> None:
    answer = await client.get(path.format(uuid4()))

    assert answer.status_code == 404
    assert "is no id" not in answer.text


@pytest.mark.parametrize("limit", [1, 100])
async def test_takes_the_limits_of_the_limit(client: httpx2.AsyncClient, limit: int) -> None:
    assert (await client.get(f"/jobs?limit={limit}")).status_code == 200


async def test_refuses_a_cursor_of_another_list(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    for _ in range(2):
        await workers.succeed()
    cursor = (await client.get("/summaries?limit=1")).json()["next"]

    answer = await client.get("/jobs", params={"cursor": cursor})

    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:mousetrap:problem:invalid-cursor"


async def test_a_job_that_was_retried_too_often_is_not_retried_again(
    client: httpx2.AsyncClient, workers: Workers, dsn: str
) -> None:
    job_id = await workers.fail()
    await execute(dsn, "UPDATE job SET retries = 10")

    answer = await client.post(f"/jobs/{job_id}/retry")

    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:mousetrap:problem:too-many-retries"
    assert "request another job" in answer.json()["detail"]
    assert (await client.get(f"/jobs/{job_id}")).json()["state"] == "failed"
