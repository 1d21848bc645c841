import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
import pytest
from redis.asyncio import Redis

from api.conftest import NOWHERE_DSN, NOWHERE_URL, CheckedApi
from chaos.proxy import Proxy
from mousetrap.queue.begun import BegunJobs
from mousetrap.queue.server import DEADLINE
from mousetrap.queue.stages import FETCH
from mousetrap.settings.source_kinds import FakerSettings, SourceSettings
from mousetrap.settings.sources import Sources
from mousetrap.store.errors import StoreUnavailableError
from mousetrap.store.jobs import JobStore
from support.streams import until

JSON = {"Content-Type": "application/json"}


def kind(answer: httpx2.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    found: str = answer.json()["type"].removeprefix("urn:mousetrap:problem:")
    return found


async def jobs(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/jobs")).json()["items"]
    return found


async def messages(raw: Redis) -> list[bytes]:
    entries: Any = await raw.xrange(FETCH.key)
    return [b"".join(fields.values()) for _, fields in entries]


async def test_stores_a_job_and_tells_the_fetch_workers(
    client: httpx2.AsyncClient, raw: Redis
) -> None:
    answer = await client.post("/refresh")

    body = answer.json()
    assert answer.status_code == 202
    assert body == {"status": "ok", "job_id": body["job_id"], "source": "demo"}
    assert answer.headers["location"] == f"/jobs/{body['job_id']}"
    assert (await client.get(answer.headers["location"])).json()["state"] == "queued"
    [message] = await messages(raw)
    assert body["job_id"].encode() in message


@pytest.mark.parametrize(
    ("body", "source"),
    [
        (b"{}", "demo"),
        (b'{"source": null}', "demo"),
        (b'{"source": "demo"}', "demo"),
        (b' {"source": "earthquakes"}\n', "earthquakes"),
    ],
)
async def test_takes_a_source(client: httpx2.AsyncClient, body: bytes, source: str) -> None:
    answer = await client.post("/refresh", content=body, headers=JSON)

    assert (answer.status_code, answer.json()["source"]) == (202, source)


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "Application/JSON; charset=utf-8"}], ids=["none", "charset"]
)
async def test_takes_json_however_it_is_declared(
    client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    answer = await client.post("/refresh", content=b"{}", headers=headers)

    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("body", "name", "message"),
    [
        (b'{"sorce": "demo"}', "body", "`sorce`"),
        (b'{"source": 1}', "source", "`str | null`"),
        (b"[]", "body", "`object`"),
        (b"null", "body", "`object`"),
        (b"[" * 16_000, "body", "`object`"),
        (b'{"source":' * 1_500, "source", "`str | null`"),
    ],
    ids=["unknown", "number", "array", "null", "deep array", "deep object"],
)
async def test_says_which_field_is_wrong(
    client: httpx2.AsyncClient, body: bytes, name: str, message: str
) -> None:
    answer = await client.post("/refresh", content=body, headers=JSON)

    assert (answer.status_code, kind(answer)) == (400, "invalid-request")
    [error] = answer.json()["errors"]
    assert (error["name"], error["where"]) == (name, "body")
    assert message in error["message"]
    assert await jobs(client) == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="truncated"),
        pytest.param(b" ", id="blank"),
        pytest.param(b"\xff", id="no UTF-8"),
        pytest.param(b'{"source": "\xff"}', id="no UTF-8 in a string"),
        pytest.param(b'{"source": "\\ud800"}', id="half a surrogate pair"),
        pytest.param(b"{} {}", id="two documents"),
    ],
)
async def test_refuses_what_is_not_json(client: httpx2.AsyncClient, body: bytes) -> None:
    answer = await client.post("/refresh", content=body, headers=JSON)

    assert (answer.status_code, kind(answer)) == (400, "malformed-body")
    assert await jobs(client) == []


async def test_refuses_other_media_types(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/refresh", data={"source": "demo"})

    assert (answer.status_code, kind(answer)) == (415, "unsupported-media-type")


async def test_refuses_a_source_that_is_not_configured(
    client: httpx2.AsyncClient, raw: Redis
) -> None:
    answer = await client.post("/refresh", json={"source": "http://169.254.169.254/"})

    assert (answer.status_code, kind(answer)) == (404, "unknown-source")
    assert await jobs(client) == []
    assert await messages(raw) == []


async def test_a_repeated_key_answers_with_the_same_job(
    client: httpx2.AsyncClient, raw: Redis
) -> None:
    headers = {"Idempotency-Key": "!" + "k" * 253 + "~"}

    answers = await asyncio.gather(*(client.post("/refresh", headers=headers) for _ in range(8)))

    assert {answer.status_code for answer in answers} == {202}
    bodies = [answer.json() for answer in answers]
    assert sorted(body.pop("repeated", False) for body in bodies) == [False] + [True] * 7
    assert all(body == bodies[0] for body in bodies)
    assert len(await jobs(client)) == 1
    assert len(await messages(raw)) == 1


async def test_a_key_is_for_one_source(client: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "monday"}
    await client.post("/refresh", headers=headers)

    answer = await client.post("/refresh", headers=headers, json={"source": "earthquakes"})

    assert (answer.status_code, kind(answer)) == (422, "idempotency-conflict")
    assert len(await jobs(client)) == 1


@pytest.mark.parametrize("key", ["", "k" * 256, "two words", "schl\u00fcssel", "tab\tbed"])
async def test_a_key_is_visible_ascii(client: httpx2.AsyncClient, key: str) -> None:
    answer = await client.post("/refresh", headers={b"Idempotency-Key": key.encode()})

    assert (answer.status_code, kind(answer)) == (400, "invalid-request")
    [error] = answer.json()["errors"]
    assert (error["name"], error["where"]) == ("Idempotency-Key", "header")
    assert await jobs(client) == []


async def test_a_body_has_at_most_16_kib(client: httpx2.AsyncClient) -> None:
    body = b'{"source": "demo"}'

    largest = await client.post("/refresh", content=body.ljust(16 * 1024), headers=JSON)
    too_large = await client.post("/refresh", content=body.ljust(16 * 1024 + 1), headers=JSON)

    assert largest.status_code == 202
    assert (too_large.status_code, kind(too_large)) == (413, "body-too-large")


async def test_a_body_of_undeclared_length_has_at_most_16_kib(client: httpx2.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1000

    answer = await client.post("/refresh", content=endless(), headers=JSON)

    assert (answer.status_code, kind(answer)) == (413, "body-too-large")


async def test_accepts_jobs_while_the_queue_is_away(
    app: CheckedApi, events: list[dict[str, Any]]
) -> None:
    async with app.serve(redis_url=NOWHERE_URL) as client:
        answer = await client.post("/refresh")

        assert answer.status_code == 202
        job_id = answer.json()["job_id"]
        assert [(job["job_id"], job["state"]) for job in await jobs(client)] == [(job_id, "queued")]
    [warning] = [event for event in events if event["log_level"] == "warning" and "job_id" in event]
    assert warning["job_id"] == job_id


@pytest.mark.parametrize("coalesce", ["coalesce", ""])
async def test_few_callers_wait_for_a_queue_that_is_silent(
    app: CheckedApi, raw: Redis, coalesce: str
) -> None:
    sources = Sources(default="demo", sources={"demo": FakerSettings(coalesce=bool(coalesce))})

    async def wait() -> float:
        begin = time.monotonic()
        answers = await client.post("/refresh"), await client.get("/jobs")
        assert [it.status_code for it in answers] == [202, 200]
        return time.monotonic() - begin

    async def together(callers: int) -> list[float]:
        return await asyncio.gather(*(wait() for _ in range(callers)))

    there = urlsplit(app.settings.redis_url)
    async with Proxy.to(there.path) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}?{there.query}"
        async with app.serve(sources, redis_url=url) as client:
            await wait()
            proxy.block()
            # Nobody knows yet that it is silent: they wait, once.
            assert min(await together(5)) < 2 * DEADLINE
            waits = [it for _ in range(12) for it in await together(5)]
            assert statistics.median(waits) < DEADLINE / 2

            proxy.heal()
            before = len(await messages(raw))

            async def works() -> bool:
                joined = (await client.post("/refresh")).json().get("coalesced", False)
                return joined or len(await messages(raw)) > before

            await until(works)


async def test_promises_nothing_while_the_database_is_away(app: CheckedApi, raw: Redis) -> None:
    async with app.serve(postgres_dsn=NOWHERE_DSN) as client:
        answer = await client.post("/refresh")

    assert (answer.status_code, kind(answer)) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert await messages(raw) == []


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "a"}])
async def test_says_that_a_job_may_be_stored_and_what_to_do(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    real = JobStore._submit  # noqa: SLF001 - tests/store/lost_answers_test.py loses a real answer

    async def lose_answer(self: JobStore, job_id: UUID, source: str, key: str | None) -> None:
        await real(self, job_id, source, key)
        raise StoreUnavailableError

    monkeypatch.setattr(JobStore, "_submit", lose_answer)
    answer = await client.post("/refresh", headers=headers)

    assert (answer.status_code, kind(answer)) == (503, "outcome-unknown")
    assert int(answer.headers["retry-after"]) > 0
    assert [it["state"] for it in await jobs(client)] == ["queued"]
    if headers:  # the key may belong to an earlier job
        assert "location" not in answer.headers
        assert "same Idempotency-Key" in answer.json()["detail"]
    else:
        assert (await client.get(answer.headers["location"])).json()["state"] == "queued"
        assert answer.headers["location"] in answer.json()["detail"]


async def test_the_job_is_on_the_lines_of_the_log(
    client: httpx2.AsyncClient, events: list[dict[str, Any]]
) -> None:
    job_id = (await client.post("/refresh")).json()["job_id"]
    await client.get("/")

    lines = [event for event in events if event["event"] == "request"]
    assert [str(line.get("job_id")) for line in lines] == [job_id, "None"]


async def test_a_full_backlog_is_told_before_anything_is_written(
    app: CheckedApi, raw: Redis
) -> None:
    async with app.serve(backlog_limit=2) as client:

        async def accepted() -> bool:
            # A job accepted while the backlog is being counted may count twice, until the next.
            return (await client.post("/refresh")).status_code == 202

        for _ in range(2):
            await until(accepted)
        refused = await client.post("/refresh")

        assert (refused.status_code, kind(refused)) == (503, "backlog-full")
        assert int(refused.headers["retry-after"]) > 0
        assert len(await jobs(client)) == 2
        assert len(await messages(raw)) == 2


async def test_a_backlog_that_was_there_before_counts_too(app: CheckedApi) -> None:
    async with app.serve() as client:
        for _ in range(3):
            await client.post("/refresh")

    async with app.serve(backlog_limit=3) as client:

        async def refused() -> bool:
            return (await client.post("/refresh")).status_code == 503

        await until(refused)
        before = await jobs(client)
        assert await refused()
        assert await jobs(client) == before


async def test_a_source_whose_backlog_is_full_leaves_room_to_others(app: CheckedApi) -> None:
    sources: dict[str, SourceSettings] = {
        "demo": FakerSettings(),
        "small": FakerSettings(max_queued=2),
    }
    async with app.serve(Sources(default="demo", sources=sources)) as client:

        async def accepted() -> bool:
            # A job accepted while the backlog is being counted may count twice, until the next.
            answer = await client.post("/refresh", json={"source": "small"})
            return answer.status_code == 202

        for _ in range(2):
            await until(accepted)
        before = await jobs(client)
        refused = await client.post("/refresh", json={"source": "small"})

        assert (refused.status_code, kind(refused)) == (503, "source-backlog-full")
        assert int(refused.headers["retry-after"]) > 0
        assert await jobs(client) == before
        assert (await client.post("/refresh")).status_code == 202


COALESCING = Sources(
    default="demo",
    sources={"demo": FakerSettings(coalesce=True, max_queued=2), "other": FakerSettings()},
)


async def test_a_refresh_joins_a_job_that_nobody_has_begun(app: CheckedApi, raw: Redis) -> None:
    async with app.serve(COALESCING) as client:
        first, second = [await client.post("/refresh") for _ in range(2)]
        others = [await client.post("/refresh", json={"source": "other"}) for _ in range(2)]

    assert [it.status_code for it in (first, second)] == [202, 202]
    assert second.json() == {**first.json(), "coalesced": True}
    assert "coalesced" not in first.json()
    assert second.headers["location"] == first.headers["location"]
    assert len({it.json()["job_id"] for it in others}) == 2
    assert len(await messages(raw)) == 3


async def test_a_refresh_does_not_join_a_job_that_has_begun(
    app: CheckedApi, redis_url: str
) -> None:
    async with app.serve(COALESCING) as client, BegunJobs(redis_url) as begun:
        first = (await client.post("/refresh")).json()["job_id"]
        await begun.mark(UUID(first), 1)
        second = (await client.post("/refresh")).json()["job_id"]
        assert second != first
        assert (await client.post("/refresh")).json()["job_id"] == second


async def test_a_refresh_joins_no_job_while_nobody_knows_which_have_begun(app: CheckedApi) -> None:
    async with app.serve(COALESCING, redis_url=NOWHERE_URL) as client:
        answers = [await client.post("/refresh") for _ in range(2)]

        assert [it.status_code for it in answers] == [202, 202]
        assert len(await jobs(client)) == 2


async def test_a_refresh_joins_a_job_even_where_there_is_no_room_for_another(
    app: CheckedApi, redis_url: str
) -> None:
    async with app.serve(COALESCING) as client, BegunJobs(redis_url) as begun:

        async def queued() -> str:
            answer = await client.post("/refresh")
            return "" if answer.status_code != 202 else str(answer.json()["job_id"])

        first = await until(queued)
        await begun.mark(UUID(first), 1)
        second = await until(queued)
        assert await until(queued) == second
        await begun.mark(UUID(second), 1)
        refused = await client.post("/refresh")

        assert (refused.status_code, kind(refused)) == (503, "source-backlog-full")
        assert len(await jobs(client)) == 2


async def test_a_repeated_key_answers_with_the_job_that_it_joined(
    app: CheckedApi, redis_url: str
) -> None:
    async def refresh(key: str) -> dict[str, Any]:
        answer = await client.post("/refresh", headers={"Idempotency-Key": key})
        body: dict[str, Any] = answer.json()
        return body

    async with app.serve(COALESCING) as client, BegunJobs(redis_url) as begun:
        first, joined = await refresh("first"), await refresh("joins")
        await begun.mark(UUID(first["job_id"]), 1)

        assert joined == {**first, "coalesced": True}
        assert await refresh("joins") == {**joined, "repeated": True}
        assert await refresh("first") == {**first, "repeated": True}
        conflict = await client.post(
            "/refresh", json={"source": "other"}, headers={"Idempotency-Key": "joins"}
        )
        assert kind(conflict) == "idempotency-conflict"
