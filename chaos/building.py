"""Builds the system: servers, accounts, links, and processes."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from chaos import accounts, disk
from chaos.cells import REPLICAS, Kind
from chaos.clocks import Clock
from chaos.links import Links, Passwords, between
from chaos.member import Member
from chaos.system import READS, SETTINGS, Logs, System, kind_of, launched, migrate, plan
from mousetrap.settings import environment
from mousetrap.settings.process import FollowUpSettings
from mousetrap.stack import folder, identity, postgres, servers, valkey
from mousetrap.stack.launcher import Launcher
from mousetrap.stack.process import Process
from mousetrap.stack.servers import Servers

DISK: Final = 800
"""The megabytes of the disk of a server, if it has one of its own."""


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


def _settings(reads: type[msgspec.Struct]) -> dict[str, str]:
    known = {field.name for field in msgspec.structs.fields(reads)}
    return {environment.variable(k): str(v) for k, v in SETTINGS.items() if k in known}
