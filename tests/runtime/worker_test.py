"""A worker process: how it starts, answers health checks and ends."""

import asyncio
import signal
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

import pytest

from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH
from mousetrap.queue.streams import GROUP, HANDED_BACK
from mousetrap.runtime.worker import work
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.metrics import Metrics
from support import processes

WORKER = """
import asyncio, sys, time
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH
from mousetrap.runtime.worker import run, work
from mousetrap.telemetry import logs
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.metrics import Metrics
from support.workers import receiver

def sleep_in_thread(seconds):
    return asyncio.to_thread(time.sleep, seconds)

async def main(url, sleep, seconds, grace):
    log = logs.logger("test")

    async def handle(message):
        log.info("begun")
        await {"loop": asyncio.sleep, "thread": sleep_in_thread}[sleep](seconds)
        log.info("finished")

    async with (
        receiver(url, FETCH, handle, concurrency=2, lease=30.0,
                 max_deliveries=3, grace=grace, bury=handle) as worker,
        Publisher(url) as publisher,
    ):
        health = Health({"redis": publisher.ping}, period=0.1)
        return await work(worker, health, Metrics(), health_host="127.0.0.1", health_port=0)

logs.configure("test")
run(main(*sys.argv[1:3], *map(float, sys.argv[3:5])))
"""


REQUEST = FetchRequested(uuid4(), "demo")


def started(
    url: str, *, sleep: str = "loop", seconds: float = 0.0, grace: float = 10.0
) -> AbstractAsyncContextManager[processes.Process]:
    return processes.python("-c", WORKER, url, sleep, str(seconds), str(grace))


async def test_sigterm_lets_the_work_in_hand_finish(
    redis_url: str, publisher: Publisher, raw: Any
) -> None:
    async with started(redis_url, seconds=1.5) as worker:
        await publisher.send(REQUEST)
        assert (await worker.logged("begun"))["job_id"] == str(REQUEST.job_id)
        worker.send(signal.SIGTERM)
        await worker.logged("draining")
        assert (await worker.health("ready"))[0] == 503
        assert (await worker.health("live"))[0] == 200
        assert await worker.end(deadline=10) == (0, "")
        events = [line["event"] for line in worker.lines]
        steps = ("begun", "draining", "finished", "stopped")
        assert [event for event in events if event in steps] == list(steps)
        assert await raw.xlen(FETCH.key) == 0
        assert await raw.xinfo_consumers(FETCH.key, GROUP) == []


async def test_what_outlives_the_grace_is_handed_back_and_the_exit_is_clean(
    redis_url: str, publisher: Publisher, raw: Any
) -> None:
    async with started(redis_url, seconds=600, grace=0.2) as worker:
        await publisher.send(REQUEST)
        await worker.logged("begun")
        worker.send(signal.SIGTERM)
        assert await worker.end(deadline=5) == (0, "")
        [entry] = await raw.xpending_range(FETCH.key, GROUP, "-", "+", 10)
        assert entry["consumer"] == HANDED_BACK.encode()
        assert entry["time_since_delivered"] >= 30_000


async def test_a_busy_thread_does_not_hold_the_process_past_its_grace(
    redis_url: str, publisher: Publisher
) -> None:
    async with started(redis_url, sleep="thread", seconds=60, grace=0.2) as worker:
        await publisher.send(REQUEST)
        await worker.logged("begun")
        worker.send(signal.SIGTERM)
        assert await worker.end(deadline=5) == (0, "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_second_signal_ends_at_once(
    number: signal.Signals, code: int, redis_url: str, publisher: Publisher
) -> None:
    async with started(redis_url, seconds=600, grace=600) as worker:
        await publisher.send(REQUEST)
        await worker.logged("begun")
        worker.send(number)
        await worker.logged("draining")
        worker.send(number)
        assert await worker.end(deadline=2) == (code, "")


async def test_a_missing_server_is_waited_for() -> None:
    async with started("unix:///nowhere") as worker:
        await worker.logged("waiting for redis")
        assert (await worker.health("live"))[0] == 200
        status, report = await worker.health("ready")
        assert status == 503
        assert "QueueUnavailableError" in report["checks"]["redis"]
        worker.send(signal.SIGTERM)
        assert await worker.end(deadline=5) == (0, "")


class Broken:
    async def listen(self, finish_event: asyncio.Event) -> None:  # noqa: ARG002 - as in Receiver
        raise RuntimeError("a mistake of ours")


async def test_an_unexpected_failure_is_told_and_ends_the_process(
    events: list[dict[str, Any]],
) -> None:
    assert await work(Broken(), Health({}), Metrics(), health_host="127.0.0.1", health_port=0) == 1
    [failed] = [it for it in events if it["log_level"] == "error"]
    assert failed["event"] == "the worker failed"


async def test_a_port_that_is_taken_is_told_and_ends_the_process(
    redis_url: str, events: list[dict[str, Any]]
) -> None:
    async with started(redis_url) as worker:
        port = (await worker.logged("health checks are served"))["port"]
        ended = await work(
            Broken(), Health({}), Metrics(), health_host="127.0.0.1", health_port=port
        )
        assert ended == 1
        assert any(it["log_level"] == "error" for it in events)
