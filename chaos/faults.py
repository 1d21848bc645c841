"""The faults, injected into the system."""

import asyncio
import contextlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import asyncpg

from chaos import poison
from chaos.cells import WHOLE_SYSTEM, Kind
from chaos.load import Load
from chaos.member import Member
from chaos.plan import Fault
from chaos.sources import HONEST, HOSTILE, LARGE
from chaos.system import System
from mousetrap.queue.streams import WAITING

# An entry that is added again is also recorded again, as by a sender: its job would otherwise
# count as lost, which is the fault FLUSH.
AGAIN: Final = """
local function again(fields)
  local id = redis.call('XADD', KEYS[1], '*', unpack(fields))
  local attempt = string.match(fields[2], '"task_id":"([^"]+)"')
  if attempt then redis.call('ZADD', KEYS[2], string.match(id, '^%d+'), attempt) end
end
"""
# Each returns the number of entries found.
COPY: Final = f"""{AGAIN}
local entries = redis.call('XRANGE', KEYS[1], '-', '+')
for _, entry in ipairs(entries) do again(entry[2]) end
return #entries
"""
SHUFFLE: Final = f"""{AGAIN}
math.randomseed(tonumber(ARGV[1]))
local entries = redis.call('XRANGE', KEYS[1], '-', '+')
for i = #entries, 2, -1 do
  local j = math.random(i)
  entries[i], entries[j] = entries[j], entries[i]
end
for _, entry in ipairs(entries) do
  redis.call('XDEL', KEYS[1], entry[1])
  again(entry[2])
end
return #entries
"""
FLUSH: Final = """
local entries = redis.call('XLEN', KEYS[1])
redis.call('FLUSHALL')
return entries
"""

END_THEIRS: Final = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name LIKE 'mousetrap%'
"""
"""Ends the connections of the processes; returns how many there were."""

PART: Final = 0.5
"""The share of the connections that are cut."""


class Claimed(Protocol):
    """A part of the system that one fault strikes at a time."""

    @property
    def lock(self) -> asyncio.Lock:
        """Held until it is whole again."""
        raise NotImplementedError


@dataclass(slots=True)
class Act:
    """A fault that can be applied, and healed at its end.

    No other fault may strike the processes or links that it `claims` meanwhile. `touched` counts
    its effects, once it is healed: the processes, connections, pieces of them, entries, keys or
    jobs that it affected. `markers` are those of its poison.
    """

    fault: Fault
    system: System
    load: Load
    markers: list[str] = field(default_factory=list)
    touched: int = 0

    @property
    def rng(self) -> random.Random:
        """The random generator of the fault, the same in each run."""
        return random.Random(self.fault.seed)  # noqa: S311 - the same in every run

    @property
    def victims(self) -> list[Member]:
        """The processes that it strikes."""
        if self.fault.cell.name in WHOLE_SYSTEM:
            return self.system.everyone
        return self.system.pick(self.fault.cell.kind, self.fault.replica)

    @property
    def claims(self) -> Iterable[Claimed]:
        """Everything that has to be whole when it begins."""
        return self.victims

    @property
    def impossible(self) -> str:
        """The reason why it cannot be injected on this machine, if there is one."""
        return ""

    async def apply(self) -> None:
        """Apply the fault."""
        raise NotImplementedError

    async def heal(self) -> None:
        """Undo everything that can be undone."""


class Kill(Act):
    async def apply(self) -> None:
        self.touched = len(self.victims)
        await asyncio.gather(*(victim.kill() for victim in self.victims))

    async def heal(self) -> None:
        for victim in self.victims:
            victim.start()


class Terminate(Kill):
    async def apply(self) -> None:
        self.touched = len(self.victims)
        await asyncio.gather(*(victim.terminate() for victim in self.victims))


class Freeze(Act):
    async def apply(self) -> None:
        self.touched = len(self.victims)
        for victim in self.victims:
            victim.freeze()

    async def heal(self) -> None:
        for victim in self.victims:
            victim.thaw()


class Crash(Act):
    async def apply(self) -> None:
        for victim in self.victims:
            self.touched += await victim.crash(self.rng.random())

    async def heal(self) -> None:
        # On SIGTERM during its recovery, Postgres 18 may end with status 1, or not at all.
        async with self.system.database():
            pass


class Disconnect(Act):
    share = PART

    async def apply(self) -> None:
        if self.fault.cell.kind is Kind.DATABASE:
            await self._sessions()
        else:
            await self._connections()

    async def _sessions(self) -> None:
        async with self.system.database() as connection:
            rng = self.rng
            for it in await connection.fetch(
                "SELECT pid FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid"
            ):
                if rng.random() < self.share:
                    await connection.execute("SELECT pg_terminate_backend($1)", it["pid"])
                    self.touched += 1

    async def _connections(self) -> None:
        async with self.system.queue() as client:
            rng, own = self.rng, await client.client_id()
            for it in await client.client_list():
                if int(it["id"]) != own and rng.random() < self.share:
                    await client.client_kill_filter(_id=it["id"])
                    self.touched += 1


class Again(Act):
    """A fault that comes again each second until it is healed."""

    async def once(self) -> None:
        raise NotImplementedError

    async def apply(self) -> None:
        await self.once()
        self._again = asyncio.create_task(self._repeat())

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(1)
            await self.once()

    async def heal(self) -> None:
        self._again.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._again


class Cuts(Again, Disconnect):
    """Cuts all connections."""

    share = 1.0

    async def once(self) -> None:
        await Disconnect.apply(self)


class Lock(Act):
    async def apply(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            connection = await stack.enter_async_context(self.system.database())
            await stack.enter_async_context(connection.transaction())
            await connection.execute("LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
            self.touched = 1
            self._held = stack.pop_all()

    async def heal(self) -> None:
        await self._held.aclose()


class Crowd(Act):
    """Takes all connections of Postgres, those of the processes as well; `touched` counts them."""

    async def apply(self) -> None:
        self._held = contextlib.AsyncExitStack()
        async with self.system.database() as connection:
            await self._fill()
            # The processes connect again, as long as they are quicker.
            while await connection.fetchval(END_THEIRS):
                await self._fill()

    async def _fill(self) -> None:
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while True:
                await self._held.enter_async_context(self.system.database(patience=0))
                self.touched += 1

    async def heal(self) -> None:
        await self._held.aclose()


class Full(Act):
    async def apply(self) -> None:
        self.touched = 1
        await self._limit("1")

    async def heal(self) -> None:
        await self._limit("0")

    async def _limit(self, size: str) -> None:
        async with self.system.queue() as client:
            await client.config_set("maxmemory", size)


class _Entries(Act):
    """A fault of a stream whose workers are frozen, so that it has entries."""

    script = ""

    @property
    def kind(self) -> Kind:
        return self.fault.cell.kind

    @property
    def victims(self) -> list[Member]:
        return self.system.pick(self.kind)

    @property
    def claims(self) -> Iterable[Claimed]:
        claimed = {*self.victims, *self.system.pick(Kind.QUEUE)}
        return (member for member in self.system.everyone if member in claimed)

    async def apply(self) -> None:
        for victim in self.victims:
            victim.freeze()

    async def heal(self) -> None:
        try:
            async with self.system.queue() as client:
                keys = [poison.STREAMS[self.kind].key, WAITING]
                answer: Any = await client.eval(self.script, 2, *keys, str(self.fault.seed))
                self.touched = int(answer)
        finally:
            for victim in self.victims:
                victim.thaw()


class Duplicate(_Entries):
    script = COPY


class Reorder(_Entries):
    script = SHUFFLE


class Flush(_Entries):
    script = FLUSH

    @property
    def kind(self) -> Kind:
        return self.rng.choice([Kind.FETCH, Kind.PROCESS])


class Flushes(Again):
    """Deletes all keys."""

    async def once(self) -> None:
        async with self.system.queue() as client:
            await client.flushall()
            self.touched += 1


class Poisoning(Act):
    @property
    def claims(self) -> Iterable[Claimed]:
        return self.system.pick(Kind.QUEUE)

    async def apply(self) -> None:
        kind = self.fault.cell.kind
        async with self.system.queue() as client:
            for it in poison.entries(kind, self.rng):
                self.markers.append(it.marker)
                self.touched += 1
                fields: Any = it.fields
                await client.xadd(poison.STREAMS[kind].key, fields)


class _Callers(Act):
    names: Sequence[str] = ()

    @property
    def claims(self) -> Iterable[Claimed]:
        return ()

    async def apply(self) -> None:
        for name in self.names:
            self.load.submit(name)
            self.touched += 1


class Hostility(_Callers):
    names = HOSTILE * 2


class Burst(_Callers):
    names = tuple(name for name in HONEST if name != LARGE) * 50
