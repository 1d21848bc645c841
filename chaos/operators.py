"""Faults that operators make."""

import asyncio
import contextlib
import secrets
from collections.abc import Iterable
from typing import Any, Final

from redis.asyncio import Redis

from chaos import accounts, system
from chaos.cells import Kind
from chaos.faults import Act, Claimed
from chaos.member import Member, ended
from chaos.system import System
from mousetrap.queue.stages import FETCH, STAGES
from mousetrap.stack import roles

LEAST: Final = str(1024 * 1024)
MIGRATED_WITHIN: Final = 120.0
INDEXES: Final = """
SELECT format('%I', indexrelid::regclass::text) AS name, pg_get_indexdef(indexrelid) AS definition
FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
WHERE relnamespace = 'public'::regnamespace AND NOT indisunique
"""


class Evict(Act):
    """Lets Valkey evict whatever it holds; `touched` counts keys."""

    async def apply(self) -> None:
        async with self.system.queue() as client:
            self._before = await _evicted(client)
            await client.config_set("maxmemory-policy", "allkeys-lru")
            await client.config_set("maxmemory", LEAST)

    async def heal(self) -> None:
        async with self.system.queue() as client:
            await client.config_set("maxmemory", "0")
            await client.config_set("maxmemory-policy", "noeviction")
            self.touched = await _evicted(client) - self._before


async def _evicted(client: Redis) -> int:
    """Return how many keys Valkey has evicted since it was started."""
    stats: Any = await client.info("stats")
    return int(stats["evicted_keys"])


class WrongType(Act):
    """Puts something else in the place of the stream of requests."""

    async def apply(self) -> None:
        async with self.system.queue() as client:
            self.touched = 1
            await client.set(FETCH.key, "no stream")

    async def heal(self) -> None:
        async with self.system.queue() as client:
            await client.delete(FETCH.key)


class DestroyGroups(Act):
    """Destroys the consumer groups of all streams, with their lists of unacknowledged messages."""

    async def apply(self) -> None:
        async with self.system.queue() as client:
            for stage in STAGES:
                if not await client.exists(stage.key):
                    continue
                for group in await client.xinfo_groups(stage.key):
                    self.touched += await client.xgroup_destroy(stage.key, group["name"])


class Password(Act):
    """Changes the password of the processes at a server, and then restarts them with it."""

    @property
    def claims(self) -> Iterable[Claimed]:
        return self.system.everyone

    @property
    def _ours(self) -> list[Member]:
        return [it for it in self.system.everyone if it.kind in system.OURS]

    async def apply(self) -> None:
        self.touched = 1
        if self.fault.cell.kind is Kind.DATABASE:
            self.system.passwords.postgres = secrets.token_hex(8)
            async with self.system.database() as database:
                await accounts.change_password(database, self.system.passwords)
        else:
            self.system.passwords.valkey = secrets.token_hex(8)
            async with self.system.queue() as client:
                await accounts.change_user(client, self.system.passwords)

    async def heal(self) -> None:
        # One after the other, as in a rolling update.
        for member in self._ours:
            await member.terminate()
            member.start()
            await member.listening()


class Index(Act):
    """Drops all indexes but those that a constraint needs."""

    async def apply(self) -> None:
        async with self.system.database() as database:
            self._found = await database.fetch(INDEXES)
            self.touched = len(self._found)
            for it in self._found:
                await database.execute(f"DROP INDEX {it['name']}")

    async def heal(self) -> None:
        async with self.system.database() as database:
            for it in self._found:
                await database.execute(it["definition"])


class Revoke(Act):
    """Takes from the processes the right to store jobs and what becomes of them."""

    async def apply(self) -> None:
        async with self.system.database() as database:
            self.touched = 2
            await database.execute(f"REVOKE INSERT ON job FROM {roles.API}")
            await database.execute(f"REVOKE INSERT ON summary FROM {roles.PROCESS}")

    async def heal(self) -> None:
        await _migrate(self.system, 1)


class Migrate(Act):
    """Migrates twice at once, as two people may."""

    async def apply(self) -> None:
        self.touched = 2
        await _migrate(self.system, 2)


async def _migrate(struck: System, times: int) -> None:
    program = struck.migration
    assert program is not None
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(system.launched(program, struck.logs)) for _ in range(times)]
        async with asyncio.timeout(MIGRATED_WITHIN):
            await asyncio.gather(*(ended(it.child.pid) for it in started))
        if any(it.child.wait() for it in started):
            struck.mishaps.append(
                f"the database was not migrated: {struck.logs.tail(program.name)}"
            )
