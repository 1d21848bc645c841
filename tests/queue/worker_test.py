"""A worker process: how it starts, answers health checks and ends."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.broker import HANDED_BACK
from mousetrap.queue.consumer import Consumer
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.streams import FETCH, GROUP
from mousetrap.queue.worker import work
from mousetrap.telemetry.health import Health

WORKER = """
import asyncio, sys, time
from mousetrap.queue.consumer import Consumer
from mousetrap.queue.streams import FETCH
from mousetrap.queue.worker import run, work
from mousetrap.telemetry import logs
from mousetrap.telemetry.health import Health

def sleep_in_thread(seconds):
    return asyncio.to_thread(time.sleep, seconds)

async def main(url, sleep, seconds, grace):
    log = logs.logger("test")

    async def handle(message):
        log.info("begun")
        await {"loop": asyncio.sleep, "thread": sleep_in_thread}[sleep](seconds)
        log.info("finished")

    consumer = Consumer(url, FETCH, handle, name="test", concurrency=2, lease=30.0,
                        max_deliveries=3, grace=grace, bury=handle)
    health = Health({"redis": consumer.ping}, period=0.1)
    return await work(consumer, health, health_host="127.0.0.1", health_port=0)

logs.configure("test")
run(main(*sys.argv[1:3], *map(float, sys.argv[3:5])))
"""


class Worker:
    """A worker process and what it logs."""

    def __init__(self, url: str, sleep: str, seconds: float, grace: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, url, sleep, str(seconds), str(grace)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def wait_for(self, event: str) -> dict[str, Any]:
        end = time.monotonic() + 20
        while True:
            line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            if line["event"] == event:
                return line

    def get(self, port: int, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self._reader.join(10)
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def start(redis_url: str) -> Iterator[Callable[..., Worker]]:
    started: list[Worker] = []

    def one(
        url: str = redis_url, *, sleep: str = "loop", seconds: float = 0.0, grace: float = 10.0
    ) -> Worker:
        started.append(Worker(url, sleep, seconds, grace))
        return started[-1]

    yield one
    for worker in started:
        worker.end()


Start = Callable[..., Worker]
REQUEST = FetchRequested(uuid4(), "demo")


async def test_sigterm_lets_the_work_in_hand_finish(
    start: Start, publisher: Publisher, raw: Any
) -> None:
    worker = start(seconds=0.5)
    port = worker.wait_for("health checks are served")["port"]
    await publisher.send(REQUEST)
    assert worker.wait_for("begun")["job_id"] == str(REQUEST.job_id)
    worker.process.send_signal(signal.SIGTERM)
    worker.wait_for("draining")
    assert worker.get(port, "/health/ready")[0] == 503
    assert worker.get(port, "/health/live")[0] == 200
    worker.wait_for("finished")
    worker.wait_for("stopped")
    assert worker.process.wait(5) == 0
    assert await raw.xlen(FETCH.key) == 0
    assert await raw.xinfo_consumers(FETCH.key, GROUP) == []


async def test_what_outlives_the_grace_is_handed_back_and_the_exit_is_clean(
    start: Start, publisher: Publisher, raw: Any
) -> None:
    worker = start(seconds=600, grace=0.2)
    await publisher.send(REQUEST)
    worker.wait_for("begun")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(5) == 0
    [entry] = await raw.xpending_range(FETCH.key, GROUP, "-", "+", 10)
    assert entry["consumer"] == HANDED_BACK.encode()
    assert entry["time_since_delivered"] >= 30_000


async def test_a_busy_thread_does_not_hold_the_process_past_its_grace(
    start: Start, publisher: Publisher
) -> None:
    worker = start(sleep="thread", seconds=60, grace=0.2)
    await publisher.send(REQUEST)
    worker.wait_for("begun")
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(5) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_second_signal_ends_at_once(
    number: signal.Signals, code: int, start: Start, publisher: Publisher
) -> None:
    worker = start(seconds=600, grace=600)
    await publisher.send(REQUEST)
    worker.wait_for("begun")
    worker.process.send_signal(number)
    worker.wait_for("draining")
    worker.process.send_signal(number)
    assert worker.process.wait(2) == code


def test_a_missing_server_is_waited_for(start: Start) -> None:
    worker = start("unix:///nowhere")
    port = worker.wait_for("health checks are served")["port"]
    worker.wait_for("waiting for redis")
    assert worker.get(port, "/health/live")[0] == 200
    status, report = worker.get(port, "/health/ready")
    assert status == 503
    assert "QueueUnavailableError" in report["checks"]["redis"]
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(5) == 0


class Broken(Consumer[FetchRequested]):
    async def run(self, stop: asyncio.Event) -> None:  # noqa: ARG002 - as in Consumer
        raise RuntimeError("a mistake of ours")


async def nothing(_: object) -> None: ...


@pytest.fixture
def options() -> dict[str, Any]:
    return {
        "name": "test",
        "concurrency": 1,
        "lease": 1.0,
        "max_deliveries": 1,
        "grace": 1.0,
        "bury": nothing,
    }


async def test_an_unexpected_failure_is_told_and_ends_the_process(
    redis_url: str, options: dict[str, Any], events: list[dict[str, Any]]
) -> None:
    consumer = Broken(redis_url, FETCH, nothing, **options)
    assert await work(consumer, Health({}), health_host="127.0.0.1", health_port=0) == 1
    [failed] = [it for it in events if it["log_level"] == "error"]
    assert failed["event"] == "the worker failed"


async def test_a_port_that_is_taken_is_told_and_ends_the_process(
    redis_url: str, options: dict[str, Any], start: Start, events: list[dict[str, Any]]
) -> None:
    port = start().wait_for("health checks are served")["port"]
    consumer = Consumer(redis_url, FETCH, nothing, **options)
    assert await work(consumer, Health({}), health_host="127.0.0.1", health_port=port) == 1
    assert any(it["log_level"] == "error" for it in events)
