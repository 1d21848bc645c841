"""The real processes, several of each kind, and real servers; faults can strike each of them."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import asyncpg
import msgspec
import redis.asyncio

from chaos import accounts, disk
from chaos.cells import FOLLOWERS, LEASE, REPLICAS, Kind
from chaos.clocks import Clock
from chaos.errors import ChaosError
from chaos.links import Links, Passwords, between
from chaos.member import Member
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
from mousetrap.stack.deployables import Wishes
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

DISK: Final = 800
"""The megabytes of the disk of a server, if it has one of its own."""
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
async def running(root: Path, sources: Path, *, disks: bool = False) -> AsyncIterator[System]:
    """Run everything in an empty folder, as durable as in production; raises StackError.

    With `disks`, each server has a small one of its own, in memory.
    """
    async with contextlib.AsyncExitStack() as stack:
        building = _Building(root, sources, stack)
        if disks:
            stack.enter_context(disk.mounted(root / "data", DISK))
        held = stack.enter_context(folder.hold(root / "data"))
        user = identity.choose(postgres.binary("postgres"), held.root)
        if disks:
            valkey_disk = stack.enter_context(disk.mounted(held.valkey, DISK))
            os.chown(valkey_disk, user.uid, user.gid)
            building.disks.update({Kind.DATABASE: held.root, Kind.QUEUE: valkey_disk})
        sockets = stack.enter_context(held.sockets(user))
        yield await building.build(Launcher(held, user, building.logs), sockets)


class _Building:
    """Builds a system whose parts end with `stack`."""

    def __init__(self, root: Path, sources: Path, stack: contextlib.AsyncExitStack) -> None:
        self.logs = Logs(root)
        self.disks: dict[Kind, Path] = {}
        self._root = root
        self._sources = sources
        self._stack = stack
        self._passwords = Passwords()
        self._clocks: dict[str, Clock] = {}

    async def build(self, launcher: Launcher, sockets: Path) -> System:
        real = Servers(sockets, (), plain_roles=True)
        database = self._member(
            "postgres", Kind.DATABASE, lambda: self._postgres(launcher, sockets)
        )
        queue = self._member("valkey", Kind.QUEUE, lambda: self._valkey(launcher, sockets))
        accounts.create(launcher, sockets, self._passwords)
        migration = plan(real, self._sources)[0]
        migrate(migration, self.logs)
        members = {Kind.QUEUE: [queue], Kind.DATABASE: [database]}
        every = {}
        for name in plan(real, self._sources)[1]:
            kind = kind_of(name)
            for number in range(REPLICAS[kind]):
                links = await self._stack.enter_async_context(
                    between(kind, sockets, self._passwords, seed=number)
                )
                member = self._process(name, number, real, links)
                members.setdefault(kind, []).append(member)
                every[member.name] = links
        return System(
            members,
            real,
            self.logs,
            links=every,
            clocks=self._clocks,
            disks=self.disks,
            passwords=self._passwords,
            migration=migration,
        )

    def _process(self, name: str, number: int, real: Servers, links: Links) -> Member:
        program = plan(real, self._sources)[1][name]
        settings = _settings(READS.get(links.kind, FollowUpSettings))
        program = replace(program, name=f"{name}-{number}", env={**program.env, **settings})

        def launch() -> contextlib.AbstractContextManager[Process]:
            clock = self._clocks.get(program.name)
            faked = {} if clock is None else clock.environment
            env = {**program.env, **links.settings, **faked}
            return launched(replace(program, env=env), self.logs)

        return self._member(program.name, links.kind, launch, port=program.health_port)

    def _member(
        self,
        name: str,
        kind: Kind,
        launch: Callable[[], contextlib.AbstractContextManager[Process]],
        port: int | None = None,
    ) -> Member:
        member = Member(name, kind, launch, port=port)
        self._stack.callback(member.close)
        member.start()
        return member

    @contextlib.contextmanager
    def _postgres(self, launcher: Launcher, sockets: Path) -> Iterator[Process]:
        # The locks are stale, but another process may have the pid in them by now.
        for left in sockets.glob(".s.PGSQL.*"):
            left.unlink()
        with contextlib.ExitStack() as stack:
            with _environment(self._clocks.get("postgres")):
                server = stack.enter_context(postgres.running(launcher, sockets, durable=True))
            yield server

    @contextlib.contextmanager
    def _valkey(self, launcher: Launcher, sockets: Path) -> Iterator[Process]:
        address = servers.valkey_address(sockets)
        with contextlib.ExitStack() as stack:
            with _environment(self._clocks.get("valkey")):
                server = stack.enter_context(valkey.running(launcher, address, durable=True))
            accounts.create_user(address, self._passwords)
            yield server


@contextlib.contextmanager
def _environment(clock: Clock | None) -> Iterator[None]:
    """Let a server that is started in the block have a clock of its own."""
    before = {name: os.environ.get(name) for name in clock.environment} if clock else {}
    os.environ.update(clock.environment if clock else {})
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


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
