"""Watches what `/health/ready` of each process says."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final, NoReturn

from chaos.member import Member
from chaos.system import System
from mousetrap.stack import readiness

PERIOD: Final = 0.5


@dataclass(frozen=True, slots=True)
class Sample:
    """Whether a process was ready at a time."""

    at: float
    ready: bool


class Watch:
    """The readiness of all processes of ours, a few times a second."""

    def __init__(self, watched: System) -> None:
        self._watched = watched
        self._samples: dict[str, list[Sample]] = defaultdict(list)

    async def run(self) -> NoReturn:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            for member in self._watched.everyone:
                if member.port is not None:
                    group.create_task(self._watch(member.name, member.port))
            await asyncio.Event().wait()
        raise AssertionError

    async def _watch(self, name: str, port: int) -> NoReturn:
        while True:
            at = time.time()
            ready = await readiness.is_ready(port)
            self._samples[name].append(Sample(at, ready))
            await asyncio.sleep(PERIOD)

    def is_ready(self, members: Iterable[Member], since: float) -> bool:
        """Return whether each of them has been ready at a time since then."""
        return self.after(members, since, ready=True) is not None

    def after(
        self, members: Iterable[Member], since: float, until: float = float("inf"), *, ready: bool
    ) -> float | None:
        """Return the seconds since then after which each of them was ready, or was not.

        None if that has not happened.
        """
        found = []
        for member in members:
            samples = self._samples[member.name]
            times = (it.at for it in samples if since <= it.at <= until and it.ready is ready)
            first = next(times, None)
            if first is None:
                return None
            found.append(first - since)
        return max(found, default=0.0)


@contextlib.asynccontextmanager
async def watching(watched: System) -> AsyncIterator[Watch]:
    """Watch within the block."""
    watch = Watch(watched)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.wait([task])
