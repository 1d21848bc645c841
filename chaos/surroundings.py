"""Faults of disks, clocks and limits."""

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from chaos import clocks, disk, times
from chaos.cells import Name
from chaos.clocks import Clock
from chaos.faults import Act, Again, Claimed
from chaos.member import Member
from chaos.sources import LARGE
from mousetrap.stack import ports, readiness
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
MEMORY: Final = 512 * 1024
"""Bytes that the processes of a kind may take beside those that they have."""
CALLERS: Final = 256
JOBS: Final = 5
"""Connections to a process and jobs with large batches, which take more memory than that."""
STARTED_WITHIN: Final = 20.0
CONNECTS_WITHIN: Final = 1.0


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
    """Sets the clocks of processes, while they run, and back again.

    `touched` is 0 unless each process has told the time that was set, and later the right one.
    """

    @property
    def impossible(self) -> str:
        return "" if clocks.library() else "there is no libfaketime: apt install faketime"

    async def apply(self) -> None:
        # A process has a clock of its own from its start on.
        for victim in self.victims:
            if victim.name not in self.system.clocks:
                await self._give(victim)
        offsets = [self._offset(number) for number, _ in enumerate(self.victims)]
        if await self._set(offsets):
            self.touched = len(self.victims)
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

    async def _set(self, offsets: Sequence[float]) -> bool:
        """Set the clocks so many seconds ahead; return whether each process tells that time."""
        for victim, offset in zip(self.victims, offsets, strict=True):
            self.system.clocks[victim.name].set(offset)
        told = zip(self.victims, offsets, strict=True)
        return all(await asyncio.gather(*(times.tells(self.system, *it) for it in told)))

    async def heal(self) -> None:
        if not await self._set([0.0] * len(self.victims)):
            self.touched = 0
        await asyncio.sleep(2 * clocks.WITHIN)


class Files(Again):
    """Lets processes open few files, and has callers take them all.

    `touched` counts the processes that could not open another one.
    """

    async def apply(self) -> None:
        self._before = {}
        self._full = set[int]()
        self._callers = contextlib.AsyncExitStack()
        for victim in self.victims:
            before = resource.prlimit(victim.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(victim.pid, resource.RLIMIT_NOFILE, (FILES, before[1]))
            self._before[victim.pid] = before
            for _ in range(FILES):
                await self._callers.enter_async_context(_calling(victim))
        await super().apply()

    async def once(self) -> None:
        self._full |= {pid for pid in self._before if _has_all_files(pid)}

    async def heal(self) -> None:
        await super().heal()
        self.touched = len(self._full)
        await self._callers.aclose()
        for pid, before in self._before.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@contextlib.asynccontextmanager
async def _calling(called: Member) -> AsyncIterator[None]:
    """Hold a connection to a process, as long as it lets."""
    assert called.port is not None
    try:
        async with asyncio.timeout(CONNECTS_WITHIN):
            _, writer = await asyncio.open_connection(ports.HOST, called.port)
    except OSError:  # it was killed, or accepts no more
        yield
        return
    try:
        yield
    finally:
        writer.transport.abort()


def _has_all_files(pid: int) -> bool:
    """Return whether a process with this limit has no number free for another file.

    What it opened before it had the limit may have higher numbers, and does not count.
    """
    with contextlib.suppress(OSError):  # it has ended
        numbers = {int(it.name) for it in Path(f"/proc/{pid}/fd").iterdir()}
        return numbers.issuperset(range(FILES))
    return False


class Memory(Act):
    """Lets the kernel kill processes that take more memory than they have.

    `touched` counts those that it has killed.
    """

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
        self._callers = contextlib.AsyncExitStack()
        for victim in self.victims * CALLERS:
            await self._callers.enter_async_context(_calling(victim))
        for _ in range(JOBS):
            self.load.submit(LARGE)

    async def heal(self) -> None:
        self.touched = self._group.kills()
        await self._callers.aclose()
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
