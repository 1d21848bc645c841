"""Schedules, dead letters, old rows."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.process_worker.housekeeper import LETTERS, Housekeeper
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.dispatcher import Dispatcher
from mousetrap.queue.inspector import Inspector
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH
from mousetrap.store.database import Database
from support.postgres import Connection
from support.samples import submitted, succeeded
from support.streams import dead, sent

REFUSAL = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE data_exception; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON dead_letter
FOR EACH ROW WHEN (NEW.entry_id = '2-1') EXECUTE FUNCTION refuse()
"""


@pytest.fixture
async def housekeeper(
    database: Database, publisher: Publisher, redis_url: str
) -> AsyncIterator[Housekeeper]:
    async with Inspector(redis_url) as inspector:
        yield Housekeeper(
            database,
            Dispatcher(publisher),
            inspector,
            ProcessMetrics(),
            schedules={"demo": 3600.0},
            period=1.0,
            retention=0.0,
        )


async def bury(redis_url: str, number: int, body: bytes = b"poison") -> None:
    broker = StreamBroker(redis_url, FETCH)
    await broker.bury(DeadLetter(FETCH.key, f"{number}-1", body, "not a message", None, 3))
    await broker.shutdown()


async def test_a_scheduled_job_is_accepted_and_sent_once(
    housekeeper: Housekeeper, database: Database, raw: Redis
) -> None:
    await asyncio.gather(*(housekeeper.schedule() for _ in range(5)))

    [job] = await database.jobs.page(limit=10)
    assert [message.job_id for message in await sent(raw, FETCH)] == [job.id]


async def test_dead_letters_end_in_the_database(
    housekeeper: Housekeeper, database: Database, raw: Redis, redis_url: str
) -> None:
    body = b"\x00\xff" * 50_000
    await bury(redis_url, 7, body)

    await asyncio.gather(*(housekeeper.collect() for _ in range(3)))

    [stored] = await database.dead_letters.page(limit=10)
    letter = stored.letter
    assert (letter.queue, letter.id, letter.deliveries) == (FETCH.key, "7-1", 3)
    assert (letter.reason, letter.job_id) == ("not a message", None)
    assert letter.size == len(body)
    assert body.startswith(letter.body)
    assert len(letter.body) == 64 * 1024
    assert await dead(raw) == []


async def test_more_letters_than_are_stored_at_a_time(
    housekeeper: Housekeeper, database: Database, raw: Redis, redis_url: str
) -> None:
    count = LETTERS + 5
    for number in range(count):
        await bury(redis_url, number)

    await housekeeper.collect()

    assert len(await database.dead_letters.page(limit=2 * count)) == count
    assert await dead(raw) == []


async def test_a_letter_that_was_not_removed_in_time_is_stored_once(
    housekeeper: Housekeeper, database: Database, redis_url: str
) -> None:
    for _ in range(2):
        await bury(redis_url, 7)
        await housekeeper.collect()

    assert len(await database.dead_letters.page(limit=10)) == 1


async def test_what_is_no_letter_of_ours_is_kept_as_it_is(
    housekeeper: Housekeeper, database: Database, raw: Redis
) -> None:
    await raw.xadd("mousetrap:dead", {"data": b"who put this here?"})

    await housekeeper.collect()

    [stored] = await database.dead_letters.page(limit=10)
    assert stored.letter.body == b"who put this here?"


@pytest.mark.parametrize(
    "field",
    [
        *(
            {"deliveries": value}
            for value in ("abc", "-1", "1e9", "9" * 5000, "\N{SUPERSCRIPT TWO}")
        ),
        *({"size": value} for value in ("", "abc", "9" * 30)),
        *({"queue": value} for value in ("a\0b", b"\xff\xed\xa0\x80" * 1000, "q" * 100_000)),
        *({"id": value} for value in ("\0", b"\xff" * 100_000)),
        *({"reason": value} for value in ("\0\x1b[31m", b"\xff" * 100_000)),
        *({"job_id": value} for value in ("nobody", b"\xff", "\0")),
        {"data": b"\0" * 100_000, "other": "x" * 100_000},
        {str(number): "x" for number in range(1000)},
    ],
)
async def test_a_letter_is_kept_whatever_it_holds(
    housekeeper: Housekeeper,
    database: Database,
    raw: Redis,
    redis_url: str,
    field: dict[str, str | bytes],
) -> None:
    letter: dict[Any, Any] = {"queue": FETCH.key, "id": "1-1", "size": "7", "data": "poison"}
    await raw.xadd("mousetrap:dead", letter | field)
    await bury(redis_url, 7)

    await housekeeper.collect()

    later, poison = await database.dead_letters.page(limit=10)
    assert later.letter.id == "7-1"
    assert poison.letter.body.startswith(b"poison" if "data" not in field else b"\0")
    assert await dead(raw) == []


async def test_a_large_letter_is_read_in_part(raw: Redis, redis_url: str) -> None:
    size = 1_000_000
    await raw.xadd("mousetrap:dead", {"data": b"x" * size, "reason": "y" * size})

    async with Inspector(redis_url) as inspector:
        [letter] = (await inspector.buried(LETTERS)).values()

    assert (letter.size, len(letter.body), len(letter.reason)) == (size, 64 * 1024, 1000)


async def test_a_letter_that_the_database_refuses_keeps_no_other_from_it(
    housekeeper: Housekeeper,
    side: Connection,
    raw: Redis,
    redis_url: str,
    events: list[Any],
) -> None:
    await side.execute(REFUSAL)
    for number in (1, 2, 3):
        await bury(redis_url, number)

    await housekeeper.collect()

    kept = await side.fetch("SELECT entry_id FROM dead_letter ORDER BY id")
    assert [row["entry_id"] for row in kept] == ["1-1", "3-1"]
    assert await dead(raw) == []
    [told] = [event for event in events if event["log_level"] == "error"]
    assert (told["queue"], told["entry"]) == (FETCH.key, "2-1")


async def test_old_rows_are_deleted(housekeeper: Housekeeper, database: Database) -> None:
    for _ in range(3):
        await succeeded(database)
    waiting = await submitted(database)

    await housekeeper.sweep()

    first, second = await database.jobs.page(limit=10)
    assert first.id == waiting.id
    newest = await database.summaries.newest("demo")
    assert newest
    assert second.id == newest.job_id
