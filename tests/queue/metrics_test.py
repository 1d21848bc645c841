"""The metrics of a worker about its messages."""

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.queue.errors import QueueUnavailableError, RejectedMessageError
from mousetrap.queue.metrics import ConsumerMetrics
from support.streams import Stream, until


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def handled(registry: CollectorRegistry, result: str) -> float | None:
    return registry.get_sample_value("mousetrap_message_handling_seconds_count", {"result": result})


async def test_counts_messages_in_hand_and_done(
    registry: CollectorRegistry, stream: Stream
) -> None:
    taken, finish = asyncio.Event(), asyncio.Event()

    async def handler(_: object) -> None:
        taken.set()
        await finish.wait()

    await stream.send()
    async with stream.worker(handler, metrics=ConsumerMetrics(registry)):
        await taken.wait()
        in_hand = registry.get_sample_value("mousetrap_messages_in_flight")
        finish.set()

    assert in_hand == 1
    assert registry.get_sample_value("mousetrap_messages_in_flight") == 0
    assert handled(registry, "done") == 1


@pytest.mark.parametrize(
    ("error", "result"),
    [(RejectedMessageError("no"), "given-up"), (QueueUnavailableError("no"), "not-acknowledged")],
    ids=["given-up", "not-acknowledged"],
)
async def test_counts_what_could_not_be_done(
    registry: CollectorRegistry, stream: Stream, error: Exception, result: str
) -> None:
    async def handler(_: object) -> None:
        raise error

    async def bury(_: DeadLetter) -> None:
        """Tell nobody."""

    async def counted() -> bool:
        return handled(registry, result) == 1

    await stream.send()
    async with stream.worker(handler, bury=bury, metrics=ConsumerMetrics(registry)):
        await until(counted)


async def test_counts_what_is_cut_off(registry: CollectorRegistry, stream: Stream) -> None:
    taken = asyncio.Event()

    async def handler(_: object) -> None:
        taken.set()
        await asyncio.Event().wait()

    await stream.send()
    async with stream.worker(handler, grace=0.1, metrics=ConsumerMetrics(registry)):
        await taken.wait()

    assert handled(registry, "cut-off") == 1


async def test_counts_what_comes_again(registry: CollectorRegistry, stream: Stream) -> None:
    async def handler(_: Any) -> None:
        """Be done."""

    await stream.send()
    await stream.abandon()
    async with stream.worker(handler, metrics=ConsumerMetrics(registry)):
        await stream.emptied()

    assert registry.get_sample_value("mousetrap_messages_repeated_total") == 1
