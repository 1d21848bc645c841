"""A process that works off one stream."""

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol

from mousetrap.runtime import memory
from mousetrap.runtime.outage import Errors
from mousetrap.runtime.supervision import Watcher, supervise
from mousetrap.telemetry import logs, probe
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.metrics import Metrics

log = logs.logger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Receiver(Protocol):
    """Works off a stream."""

    async def listen(self, finish_event: asyncio.Event) -> None:
        """Work until the event is set and what was in hand is finished or its grace is over."""


def run(main: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a worker process and end it with the exit code that `main` returns.

    It does not wait for busy threads, such as a name lookup: the grace is over, and the result is
    not needed.
    """
    memory.settle()

    async def run_to_the_end() -> NoReturn:
        code = await main
        logging.shutdown()
        os._exit(code)

    asyncio.run(run_to_the_end())
    raise AssertionError  # the process has ended


async def work(  # noqa: PLR0913 - each is a collaborator or a plain value
    receiver: Receiver,
    health: Health,
    metrics: Metrics,
    *,
    health_host: str,
    health_port: int,
    beside: Sequence[Watcher] = (),
    outages: Errors = (),
) -> int:
    """Run until SIGTERM or SIGINT and return the exit code of the process: 0 after a clean drain.

    Health checks are answered, and `metrics` shown, from the start, also while dependencies are
    waited for. A second signal ends the process at once. An unexpected error is logged and
    returns 1. The watchers `beside` the receiver run until the process is to stop: each is started
    again after whatever it raises, for it keeps a promise, and `outages` are logged in one line.
    """
    stop = asyncio.Event()
    for watcher in beside:
        health.show(watcher.name, None)
    metrics.follow(health)
    try:
        with _signals(stop, health):
            async with (
                probe.serve(health, metrics, health_host, health_port),
                asyncio.TaskGroup() as group,
            ):
                loops = [group.create_task(it.watch()) for it in (health, metrics)]
                await _first(health.wait(), stop.wait())
                if not stop.is_set():
                    log.info("working")
                    for it in beside:
                        watch = supervise(it, health, expected=(Exception,), outages=outages)
                        group.create_task(_until(stop, watch))
                    await receiver.listen(stop)
                for loop in loops:
                    loop.cancel()
    except Exception:
        log.exception("the worker failed")
        return 1
    log.info("stopped")
    return 0


@contextmanager
def _signals(stop: asyncio.Event, health: Health) -> Iterator[None]:
    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            log.warning("second signal, ending at once", signal=number.name)
            os._exit(128 + number)
        log.info("stopping", signal=number.name)
        health.drain()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, NoReturn]) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        await stop.wait()
        task.cancel()


async def _first(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
