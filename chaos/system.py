"""The real processes, several of each kind, and real servers; faults can strike each of them."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
import redis.asyncio

from chaos.errors import ChaosError
from chaos.member import Member
from chaos.plan import FOLLOWERS, LEASE, REPLICAS, Kind
from mousetrap.settings import environment
from mousetrap.settings.process import (
    ApiSettings,
    FetchWorkerSettings,
    FollowUpSettings,
    ProcessWorkerSettings,
)
from mousetrap.stack import (
    deployables,
    folder,
    identity,
    ports,
    postgres,
    process,
    servers,
    valkey,
)
from mousetrap.stack.launcher import Launcher
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
    """The members by their kinds, the servers' addresses and the logs."""

    def __init__(self, members: Mapping[Kind, Sequence[Member]], real: Servers, logs: Logs) -> None:
        self.members = members
        self.logs = logs
        self._real = real

    @property
    def everyone(self) -> list[Member]:
        """All members, in the order of locking."""
        return [member for kind in self.members.values() for member in kind]

    @property
    def misdeeds(self) -> list[str]:
        """The unexpected ends of all members."""
        return [misdeed for member in self.everyone for misdeed in member.misdeeds]

    def pick(self, kind: Kind, replica: int | None = None) -> list[Member]:
        """Return one replica, or all of them."""
        return [it for i, it in enumerate(self.members[kind]) if replica in {None, i}]

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


@contextlib.asynccontextmanager
async def running(root: Path, sources: Path) -> AsyncIterator[System]:
    """Run everything in an empty folder, as durable as in production; raises StackError."""
    logs = Logs(root)
    with contextlib.ExitStack() as stack:
        held = stack.enter_context(folder.hold(root / "data"))
        user = identity.choose(postgres.binary("postgres"), held.root)
        sockets = stack.enter_context(held.sockets(user))
        launcher = Launcher(held, user, logs)
        real = Servers(sockets, ())
        database = Member("postgres", Kind.DATABASE, lambda: _postgres(launcher, sockets))
        queue = Member(
            "valkey",
            Kind.QUEUE,
            lambda: valkey.running(launcher, servers.valkey_address(sockets), durable=True),
        )
        for server in (database, queue):
            stack.callback(server.close)
            server.start()
        migrate(plan(real, sources)[0], logs)
        members = {Kind.QUEUE: [queue], Kind.DATABASE: [database]}
        for name in plan(real, sources)[1]:
            kind = kind_of(name)
            started = [_member(name, i, real, sources, logs) for i in range(REPLICAS[kind])]
            members.setdefault(kind, []).extend(started)
            for member in started:
                stack.callback(member.close)
                member.start()
        yield System(members, real, logs)


@contextlib.contextmanager
def _postgres(launcher: Launcher, sockets: Path) -> Iterator[Process]:
    # The locks are stale, but another process may have the pid in them by now.
    for left in sockets.glob(".s.PGSQL.*"):
        left.unlink()
    with postgres.running(launcher, sockets, durable=True) as server:
        yield server


def kind_of(program: str) -> Kind:
    """Return the kind of a program of ours."""
    following = {stage.worker for stage in FOLLOWERS}
    return Kind.FOLLOW_UP if program in following else Kind(program)


def plan(real: Servers, sources: Path) -> tuple[Program, dict[str, Program]]:
    """Return the program that migrates and, by name, the ones that run, on free ports."""
    made = deployables.plan(
        real.addresses, port=ports.free(1)[0], sources=sources, kept="", environ=os.environ
    )
    [migrate] = made.preparation
    return migrate, {it.name: it for group in made.services for it in group}


def _member(name: str, number: int, real: Servers, sources: Path, logs: Logs) -> Member:
    program, kind = plan(real, sources)[1][name], kind_of(name)
    program = replace(
        program,
        name=f"{name}-{number}",
        env={**program.env, **_settings(READS.get(kind, FollowUpSettings))},
    )
    return Member(program.name, kind, lambda: launched(program, logs), port=program.health_port)


def _settings(reads: type[msgspec.Struct]) -> dict[str, str]:
    known = {field.name for field in msgspec.structs.fields(reads)}
    return {environment.variable(k): str(v) for k, v in SETTINGS.items() if k in known}


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
