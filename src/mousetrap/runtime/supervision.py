"""The loops that run beside the work of a process: none of them ends unnoticed."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from mousetrap.runtime.outage import Errors, Outage
from mousetrap.telemetry import logs
from mousetrap.telemetry.health import Health

log = logs.logger(__name__)

type Works = Callable[[], None]
type Loop = Callable[[], Coroutine[Any, Any, NoReturn]]


@dataclass(frozen=True, slots=True)
class Watcher:
    """A loop that depends on a server.

    `name` is its name in the readiness report, `doing` its name in the log, as in "listening to
    Postgres". `watch` calls its argument after every success. It raises when it fails, and can be
    called again after that.
    """

    name: str
    doing: str
    watch: Callable[[Works], Coroutine[Any, Any, NoReturn]]


async def supervise(
    watcher: Watcher, health: Health, *, expected: Errors, outages: Errors
) -> NoReturn:
    """Run a watcher until cancelled, and again after each of the `expected` errors.

    The pause before that doubles from 0.1 to 2 seconds. From the first error to the next success
    the process is not ready, and `health` says why. The first error is logged, and the first of
    each kind that is not one of the `outages` with its traceback. Raises every other error.
    """
    outage = Outage(watcher.doing)
    known: type[Exception] | None = None

    def works() -> None:
        nonlocal known
        known = None
        outage.over()
        health.show(watcher.name, None)

    while True:
        try:
            await watcher.watch(works)
        except expected as error:
            if type(error) is not known and not isinstance(error, outages):
                log.exception("%s met an error that should not happen", watcher.doing)
            known = type(error)
            health.show(watcher.name, f"{type(error).__name__}: {error}")
            await outage.pause(error, asyncio.Event())


def every(period: float, name: str, doing: str, step: Callable[[], Awaitable[None]]) -> Watcher:
    """Return what does something every `period` seconds, give or take half of it.

    The jitter keeps replicas apart. Called again after a failure, it does not wait first.
    """
    failed = False

    async def watch(works: Works) -> NoReturn:
        nonlocal failed
        while True:
            if not failed:
                await asyncio.sleep(period * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load
            failed = True
            await step()
            failed = False
            works()

    return Watcher(name, doing, watch)


class Supervisor:
    """Runs the checks of `health`, watchers, and loops that depend on nothing.

    Watchers are supervised with the `expected` errors and the `outages` among them. After any
    other error, which is logged with its traceback, `failed` is true and the process has to end.
    """

    def __init__(
        self,
        health: Health,
        *,
        watchers: Sequence[Watcher] = (),
        loops: Sequence[Loop] = (),
        expected: Errors = (),
        outages: Errors = (),
    ) -> None:
        self.failed = False
        self._health = health
        self._watchers = watchers
        self._loops = loops
        self._expected = expected
        self._outages = outages
        for watcher in watchers:
            health.show(watcher.name, None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run everything until the block ends."""
        async with asyncio.TaskGroup() as group:
            endless = [loop() for loop in (self._health.watch, *self._loops)]
            endless += [
                supervise(it, self._health, expected=self._expected, outages=self._outages)
                for it in self._watchers
            ]
            tasks = [group.create_task(self._run(it)) for it in endless]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    async def _run(self, endless: Coroutine[Any, Any, NoReturn]) -> None:
        # Work in hand finishes while the process ends, and needs the other loops until then.
        try:
            await endless
        except Exception:
            log.exception("a loop of this process failed, the process ends")
            self.failed = True
            self._health.drain()
