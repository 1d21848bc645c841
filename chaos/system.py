"""The real processes, several of each kind, and real servers; faults can strike each of them."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
import redis.asyncio

from chaos.cells import FOLLOWERS, LEASE, Kind
from chaos.clocks import Clock
from chaos.errors import ChaosError
from chaos.links import Links, Passwords
from chaos.member import Member
from mousetrap.settings.process import (
    ApiSettings,
    FetchWorkerSettings,
    ProcessWorkerSettings,
)
from mousetrap.stack import (
    deployables,
    ports,
    process,
)
from mousetrap.stack.deployables import Wishes
from mousetrap.stack.process import Process
from mousetrap.stack.servers import Servers
from mousetrap.stack.supervisor import Program

READS: Final[Mapping[Kind, type[msgspec.Struct]]] = {
    Kind.API: ApiSettings,
    Kind.FETCH: FetchWorkerSettings,
    Kind.PROCESS: ProcessWorkerSettings,
}
OURS: Final = (*READS, Kind.FOLLOW_UP)
"""The kinds that are no servers."""
SETTINGS: Final = {
    "backlog_limit": 100_000,
    "grace": 3,
    "lease": LEASE,
    "log_format": "json",
    # Faults are far more frequent than in production: a message that they hit repeatedly must not
    # become a dead letter.
    "max_attempts": 6,
    "max_deliveries": 20,
    "reconcile_period": 0.5,
    "retry_delay": 0.1,
}
"""Settings that differ from production; each process gets those that it reads."""

STOP_GRACE: Final = 10.0
PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Logs:
    """An Output with one file for each process, which continues after a restart."""

    folder: Path

    def open(self, name: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.open(self.folder / f"{name}.log", flags, 0o600)

    def tail(self, name: str) -> str:
        return "\n".join([*self.lines(name)][-20:])

    def lines(self, name: str) -> Iterator[str]:
        with (self.folder / f"{name}.log").open(errors="replace") as file:
            yield from map(str.rstrip, file)


class System:
    """The members by their kinds, the servers' addresses and the logs.

    `links` has the links of each member by its name, `clocks` the clock of each member that has one
    of its own, and `disks` the folder of the disk of each server that has one. The processes log in
    with `passwords`.
    """

    def __init__(  # noqa: PLR0913 - each is a part of it
        self,
        members: Mapping[Kind, Sequence[Member]],
        real: Servers,
        logs: Logs,
        *,
        links: Mapping[str, Links] | None = None,
        clocks: dict[str, Clock] | None = None,
        disks: Mapping[Kind, Path] | None = None,
        passwords: Passwords | None = None,
        migration: Program | None = None,
    ) -> None:
        self.members = members
        self.logs = logs
        self.links = links or {}
        self.clocks = {} if clocks is None else clocks
        self.disks = disks or {}
        self.passwords = passwords or Passwords()
        self.migration = migration
        self.mishaps: list[str] = []
        self._real = real

    @property
    def everyone(self) -> list[Member]:
        """All members, in the order of locking."""
        return [member for kind in self.members.values() for member in kind]

    @property
    def misdeeds(self) -> list[str]:
        """The unexpected ends of all members, and migrations that failed."""
        return [*self.mishaps, *(it for member in self.everyone for it in member.misdeeds)]

    def pick(self, kind: Kind, replica: int | None = None) -> list[Member]:
        """Return one replica, or all of them."""
        return [it for i, it in enumerate(self.members[kind]) if replica in {None, i}]

    async def end(self) -> None:
        """Ask our processes to end, all at once, as long as their links work."""
        ours = [it for kind in OURS for it in self.members.get(kind, ()) if it.lives]
        await asyncio.gather(*(member.terminate() for member in ours))

    def ports(self) -> list[int]:
        """Return the addresses of the API."""
        return [it.port for it in self.members[Kind.API] if it.port is not None]

    @contextlib.asynccontextmanager
    async def database(
        self, *, patience: float = PATIENCE
    ) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Connect to Postgres as its operator, once it accepts connections."""
        connection = await self._connect(time.monotonic() + patience)
        try:
            yield connection
        finally:
            await connection.close(timeout=PATIENCE)

    async def _connect(self, end: float) -> "asyncpg.Connection[asyncpg.Record]":
        while True:
            try:
                return await asyncpg.connect(
                    self._real.postgres_dsn, timeout=PATIENCE, command_timeout=PATIENCE
                )
            except (OSError, asyncpg.PostgresError):
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(0.05)  # Postgres recovers from a crash

    @contextlib.asynccontextmanager
    async def queue(self) -> AsyncIterator[redis.asyncio.Redis]:
        """Connect to Valkey as its operator."""
        async with redis.asyncio.Redis.from_url(
            self._real.redis_url, socket_timeout=PATIENCE, decode_responses=False
        ) as client:
            yield client


def kind_of(program: str) -> Kind:
    """Return the kind of a program of ours."""
    following = {stage.worker for stage in FOLLOWERS}
    return Kind.FOLLOW_UP if program in following else Kind(program)


def plan(real: Servers, sources: Path) -> tuple[Program, dict[str, Program]]:
    """Return the program that migrates and, by name, the ones that run, on free ports."""
    wishes = Wishes(port=ports.free(1)[0], sources=sources, kept="")
    made = deployables.plan(real.addresses, wishes, os.environ)
    [migrate] = made.preparation
    return migrate, {it.name: it for group in made.services for it in group}


def launched(program: Program, logs: Logs) -> contextlib.AbstractContextManager[Process]:
    """Run a program within the block."""
    started = process.start(
        program.name,
        program.command,
        output=logs.open(program.name),
        env=program.env,
        cwd=Path.cwd(),
        end=signal.SIGTERM,
        death=signal.SIGKILL,
    )
    return process.running(started, grace=STOP_GRACE)


def migrate(program: Program, logs: Logs) -> None:
    """Migrate the database; raises ChaosError."""
    with launched(program, logs) as started:
        if started.child.wait(PATIENCE) != 0:
            raise ChaosError(f"the database was not migrated:\n{logs.tail(program.name)}")
