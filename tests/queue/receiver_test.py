"""When a message is acknowledged, comes again or is given up; and what the stock receiver does."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from taskiq.acks import AcknowledgeType

from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.messages.schema import FetchRequested
from mousetrap.queue import broker as broker_module
from mousetrap.queue.stages import FETCH
from mousetrap.queue.streams import DEAD
from mousetrap.telemetry import logs
from support.streams import Stream, until
from support.workers import LEASE, Stock

MANUAL = AcknowledgeType.MANUAL

Events = list[dict[str, Any]]


def entry(task: str = FETCH.task, labels: dict[str, Any] | None = None, **payload: Any) -> bytes:
    request = {"type": "fetch-requested", "job_id": str(uuid4()), "source": "demo", **payload}
    return msgspec.json.encode(
        {
            "task_id": request["job_id"],
            "task_name": task,
            "labels": labels or {},
            "args": [request],
            "kwargs": {},
        }
    )


class Letters(asyncio.Queue[DeadLetter]):
    """Where dead letters are told; refuses the first `refusals`."""

    refusals = 0

    async def bury(self, letter: DeadLetter) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ConnectionError("the database is down")
        self.put_nowait(letter)

    async def next(self) -> DeadLetter:
        async with asyncio.timeout(5):
            return await self.get()


@pytest.fixture
def letters() -> Letters:
    return Letters()


class Runs(list[UUID]):
    """The job of every run of a task."""

    async def fail(self, message: FetchRequested | dict[str, Any]) -> None:
        job_id = message["job_id"] if isinstance(message, dict) else message.job_id
        self.append(UUID(str(job_id)))
        raise RuntimeError("not today")


async def accept(_: object) -> None:
    pass


async def test_what_is_done_leaves_the_stream(stream: Stream) -> None:
    await stream.send()
    await stream.send()
    async with stream.worker(accept):
        await stream.emptied()


async def test_the_stock_broker_lets_the_stream_grow(stock: Stock, stream: Stream) -> None:
    await stream.send()
    await stream.send()
    async with stock.worker(accept, consumer_id="0"):
        await stream.acknowledged(2)


async def test_a_failed_task_runs_again_when_its_lease_has_run_out(stream: Stream) -> None:
    begun: list[float] = []

    async def fail_once(_: object) -> None:
        begun.append(time.monotonic())
        if len(begun) == 1:
            raise RuntimeError("not today")

    await stream.send()
    async with stream.worker(fail_once):
        await stream.emptied()
    assert len(begun) == 2
    assert LEASE <= begun[1] - begun[0] < LEASE + 1.5


async def test_the_stock_receiver_forgets_a_failed_task(stock: Stock, stream: Stream) -> None:
    runs = Runs()
    await stream.send()
    async with stock.worker(runs.fail, consumer_id="0"):
        await stream.acknowledged(1)
    assert len(runs) == 1


async def test_a_label_has_no_say_in_when_a_message_is_acknowledged(
    stream: Stream, raw: Any, letters: Letters
) -> None:
    runs = Runs()
    labels = {"ack_type": "when_received", "delay": "60"}
    await raw.xadd(FETCH.key, {"data": entry(labels=labels)})
    async with stream.worker(runs.fail, max_deliveries=2, bury=letters.bury):
        await letters.next()
    assert len(runs) == 2


async def test_a_label_overrides_the_manual_acknowledgement_of_the_stock_receiver(
    stock: Stock, raw: Any, stream: Stream
) -> None:
    runs = Runs()
    await raw.xadd(FETCH.key, {"data": entry(labels={"ack_type": "when_received"})})
    async with stock.worker(runs.fail, consumer_id="0", ack_type=MANUAL):
        await stream.acknowledged(1)
    assert len(runs) == 1


async def test_a_label_has_no_say_in_how_long_a_task_may_run(stream: Stream, raw: Any) -> None:
    finished = asyncio.Event()
    await raw.xadd(FETCH.key, {"data": entry(labels={"timeout": "0.05"})})
    async with stream.worker(slowly(finished)):
        await stream.emptied()
    assert finished.is_set()


async def test_a_label_cuts_the_stock_receivers_task_short(
    stock: Stock, raw: Any, stream: Stream
) -> None:
    finished = asyncio.Event()
    await raw.xadd(FETCH.key, {"data": entry(labels={"timeout": "0.05"})})
    async with stock.worker(slowly(finished), consumer_id="0"):
        await stream.acknowledged(1)
    assert not finished.is_set()


def slowly(finished: asyncio.Event) -> Callable[[object], Awaitable[None]]:
    async def task(_: object) -> None:
        await asyncio.sleep(0.2)
        finished.set()

    return task


JOB = "a6269924-839c-4556-a398-d6e417f46a14"
UNREADABLE = {
    "unknown task": ({"data": entry("mousetrap.other", job_id=JOB)}, JOB, "mousetrap.other"),
    "endless name": ({"data": entry("\x00" * 10_000, job_id=JOB)}, JOB, r"\x00"),
    "not JSON": ({"data": b"\xff\x00{"}, None, "not an envelope"),
    "nested without end": ({"data": b"[" * 100_000}, None, "not an envelope"),
    "another envelope": ({"data": b'{"hello": "world"}'}, None, "task_id"),
    "no data": ({"payload": b"?"}, None, "no field 'data'"),
    "newer version": ({"data": entry(job_id=JOB, version=2)}, JOB, "version 1"),
    "malformed payload": ({"data": entry(job_id=JOB, source=5)}, JOB, "source"),
}


@pytest.mark.parametrize("case", UNREADABLE)
async def test_what_cannot_be_read_becomes_a_dead_letter(
    case: str, stream: Stream, raw: Any, letters: Letters
) -> None:
    fields, job, reason = UNREADABLE[case]
    entry_id = await raw.xadd(FETCH.key, fields)
    await raw.xadd(FETCH.key, {"data": entry()})
    async with stream.worker(accept, bury=letters.bury):
        letter = await letters.next()
        await stream.emptied()
    assert (letter.queue, letter.id) == (FETCH.key, entry_id.decode())
    assert letter.job_id == (job and UUID(job))
    assert reason in letter.reason
    assert len(letter.reason) < 200
    assert fields.get("data", b"payload") in letter.body
    [(_, dead)] = await raw.xrange(DEAD)
    assert dead[b"data"] == letter.body[: 64 * 1024]
    assert dead[b"reason"].decode() == letter.reason
    assert (dead[b"queue"], dead[b"id"], dead[b"deliveries"]) == (
        FETCH.key.encode(),
        entry_id,
        b"1",
    )


@pytest.mark.parametrize("case", ["unknown task", "not JSON"])
async def test_the_stock_receiver_acknowledges_what_it_cannot_read(
    case: str, stock: Stock, raw: Any, stream: Stream
) -> None:
    await raw.xadd(FETCH.key, UNREADABLE[case][0])
    async with stock.worker(accept, consumer_id="0", ack_type=MANUAL):
        await stream.acknowledged(1)


async def test_an_entry_without_data_ends_the_stock_worker(stock: Stock, raw: Any) -> None:
    await raw.xadd(FETCH.key, UNREADABLE["no data"][0])
    async with stock.worker(accept, consumer_id="0") as running:
        await asyncio.wait([running], timeout=5)
        with pytest.RaisesGroup(KeyError, flatten_subgroups=True):
            running.result()


async def test_a_message_is_kept_until_somebody_took_notice_of_its_end(
    stream: Stream, raw: Any, letters: Letters, events: Events
) -> None:
    letters.refusals = 1
    await raw.xadd(FETCH.key, {"data": entry("mousetrap.other")})
    async with stream.worker(accept, bury=letters.bury):
        assert (await letters.next()).deliveries == 2
        await stream.emptied()
    assert await raw.xlen(DEAD) == 1
    assert any("not acknowledged" in it["event"] for it in events)


async def test_a_message_that_never_succeeds_becomes_a_dead_letter(
    stream: Stream, raw: Any, letters: Letters
) -> None:
    runs = Runs()
    job_id = await stream.send()
    async with stream.worker(runs.fail, max_deliveries=3, bury=letters.bury):
        letter = await letters.next()
        await stream.emptied()
    assert runs == [job_id] * 3
    assert (letter.job_id, letter.deliveries) == (job_id, 4)
    assert "3 times" in letter.reason
    assert await raw.xlen(DEAD) == 1


async def test_a_dead_letter_knows_its_attempt(stream: Stream, raw: Any, letters: Letters) -> None:
    await raw.xadd(FETCH.key, {"data": entry(attempt=2, version=99)})
    async with stream.worker(accept, bury=letters.bury):
        assert (await letters.next()).attempt == 2


async def test_the_stock_broker_never_gives_up(stock: Stock, stream: Stream) -> None:
    runs = Runs()
    poison = await stream.send()
    async with stock.worker(runs.fail, consumer_id="0", ack_type=MANUAL), asyncio.timeout(15):
        while runs.count(poison) < 5:
            await asyncio.sleep(LEASE / 2)
            await stream.send()  # or nothing would come again at all


async def test_dead_letters_are_bounded_in_number_and_size(
    stream: Stream, raw: Any, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "MAX_DEAD", 10)
    async with raw.pipeline() as steps:
        for _ in range(300):
            steps.xadd(FETCH.key, {"data": b"?" * 100_000})
        await steps.execute()
    async with stream.worker(accept, bury=letters.bury):
        await stream.emptied()
    assert await raw.xlen(DEAD) < 150  # trimmed a block at a time
    [(_, dead)] = await raw.xrevrange(DEAD, count=1)
    assert (dead[b"size"], len(dead[b"data"])) == (b"100000", 65_536)
    assert len((await letters.next()).body) == 100_000


async def test_every_line_names_the_job(stream: Stream, events: Events) -> None:
    log = logs.logger("handler")
    both = asyncio.Barrier(2)

    async def talk(message: FetchRequested) -> None:
        log.info("before", really=message.job_id)
        await both.wait()
        log.info("after", really=message.job_id)
        raise RuntimeError("not today")

    async def both_failed() -> bool:
        return len([it for it in events if "not acknowledged" in it["event"]]) == 2

    jobs = {await stream.send(), await stream.send()}
    async with stream.worker(talk, concurrency=2):
        await until(both_failed)
    lines = [it for it in events if it["event"] in ("before", "after")]
    assert len(lines) == 4
    assert all(it["job_id"] == it["really"] for it in lines)
    complaints = [it for it in events if "not acknowledged" in it["event"]]
    assert {it["job_id"] for it in complaints} == jobs
