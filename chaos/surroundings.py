"""Faults of disks, clocks and limits."""

import asyncio
import contextlib
import resource
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from chaos import clocks, disk
from chaos.cells import Name
from chaos.clocks import Clock
from chaos.faults import Act, Claimed
from chaos.member import Member
from mousetrap.stack import readiness
from support.confined import confined

HOUR: Final = 3600.0
OFFSETS: Final[Mapping[Name, float]] = {
    Name.HOUR_AHEAD: HOUR,
    Name.HOUR_BACK: -HOUR,
    Name.DAY_AHEAD: 24 * HOUR,
    Name.DAY_BACK: -24 * HOUR,
}
APART: Final = 30.0
FILES: Final = 64
MEMORY: Final = 4 * 1024 * 1024
"""Bytes that a process may take beside those that it has."""
STARTED_WITHIN: Final = 20.0


class Disk(Act):
    """Fills the disk of a server under load; a server that ends meanwhile is started again."""

    @property
    def folder(self) -> Path:
        """The disk."""
        return self.system.disks[self.fault.cell.kind]

    @property
    def impossible(self) -> str:
        return "" if self.system.disks else "only root can mount a disk"

    async def apply(self) -> None:
        self.touched = len(self.victims)
        for victim in self.victims:
            victim.doomed = True
        self._filling = asyncio.create_task(self._fill())

    async def _fill(self) -> None:
        while True:  # what a server frees is filled again
            disk.fill(self.folder)
            await asyncio.sleep(0.2)

    async def heal(self) -> None:
        self._filling.cancel()
        disk.free(self.folder)
        for victim in self.victims:
            victim.doomed = False
            if not victim.lives:
                victim.start()


class SetClock(Act):
    """Sets the clocks of processes, while they run, and back again."""

    @property
    def impossible(self) -> str:
        return "" if clocks.library() else "there is no libfaketime: apt install faketime"

    async def apply(self) -> None:
        # A process has a clock of its own from its start on.
        for victim in self.victims:
            if victim.name not in self.system.clocks:
                await self._give(victim)
        for number, victim in enumerate(self.victims):
            self.system.clocks[victim.name].set(self._offset(number))
            self.touched += 1
        await asyncio.sleep(clocks.WITHIN)

    async def _give(self, victim: Member) -> None:
        clock = Clock(self.system.logs.folder / f"{victim.name}.clock")
        clock.set(0)
        self.system.clocks[victim.name] = clock
        await victim.terminate()
        victim.start()
        if victim.port is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STARTED_WITHIN):
                    await readiness.wait(victim.port)

    def _offset(self, number: int) -> float:
        name = self.fault.cell.name
        return OFFSETS.get(name, APART * (0.5 if number % 2 else -0.5))

    async def heal(self) -> None:
        for victim in self.victims:
            self.system.clocks[victim.name].set(0)
        await asyncio.sleep(2 * clocks.WITHIN)


class Files(Act):
    """Lets processes open few files more."""

    async def apply(self) -> None:
        self._before = {}
        for victim in self.victims:
            before = resource.prlimit(victim.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(victim.pid, resource.RLIMIT_NOFILE, (FILES, before[1]))
            self._before[victim.pid] = before
            self.touched += 1

    async def heal(self) -> None:
        for pid, before in self._before.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


class Memory(Act):
    """Lets the kernel kill processes that take more memory than they have."""

    @property
    def impossible(self) -> str:
        with confined(MEMORY) as group:
            return "" if group.enforced else "this user may make no cgroups"

    async def apply(self) -> None:
        self._stack = contextlib.ExitStack()
        self._group = self._stack.enter_context(confined(MEMORY))
        for victim in self.victims:
            victim.doomed = True
            self._group.enter(victim.pid)
            self.touched += 1

    async def heal(self) -> None:
        for victim in self.victims:
            await victim.kill()
        self._stack.close()
        for victim in self.victims:
            victim.doomed = False
            victim.start()
        for victim in self.victims:
            await victim.listening()


class Apart(SetClock):
    """Sets the clocks of replicas apart."""

    @property
    def victims(self) -> list[Member]:
        return self.system.pick(self.fault.cell.kind)

    @property
    def claims(self) -> Iterable[Claimed]:
        return self.victims
