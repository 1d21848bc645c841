import asyncio

import httpx2
from redis.asyncio import Redis

from api.conftest import NOWHERE_URL, CheckedApi
from mousetrap.api.live.queue_depth import QueueDepths
from mousetrap.queue.inspector import Inspector
from mousetrap.queue.stages import FETCH
from support.streams import until


async def test_shows_how_full_they_are(client: httpx2.AsyncClient) -> None:
    await client.post("/refresh")

    fetch, process, *_ = (await client.get("/queues")).json()["items"]

    assert process == {"name": "process", "messages": 0, "oldest_seconds": None, "workers": 0}
    assert (fetch["name"], fetch["messages"], fetch["workers"]) == ("fetch", 1, 0)
    assert 0 <= fetch["oldest_seconds"] < 10


async def test_a_thousand_who_ask_are_one_question_to_the_queue(redis_url: str, raw: Redis) -> None:
    async with Inspector(redis_url) as inspector:
        depths = QueueDepths(inspector, lease=10.0)
        before = await asked(raw)
        answers = await asyncio.gather(*(depths.current() for _ in range(1000)))

    assert all(answer is answers[0] for answer in answers)
    assert await asked(raw) - before == 1


async def test_answers_anew_after_a_second(redis_url: str, raw: Redis) -> None:
    async with Inspector(redis_url) as inspector:
        depths = QueueDepths(inspector, lease=10.0)
        before = await depths.current()
        await raw.xadd(FETCH.key, {"data": "x"})

        async def renewed() -> int:
            return (await depths.current())[0].messages

        assert (before[0].messages, await until(renewed)) == (0, 1)


async def test_says_when_the_queue_is_away(app: CheckedApi) -> None:
    async with app.serve(redis_url=NOWHERE_URL) as client:
        answers = [await client.get("/queues") for _ in range(2)]

    for answer in answers:
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:mousetrap:problem:unavailable"
        assert "queue" in answer.json()["detail"]


async def asked(raw: Redis) -> int:
    stats = await raw.info("commandstats")
    return int(stats.get("cmdstat_evalsha_ro", {}).get("calls", 0))
