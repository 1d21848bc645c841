"""A system of our own: embedded servers, the roles and limits of production, hostile sources."""

import asyncio
import contextlib
import os
import resource
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
import redis.asyncio

from attack import accounts, feed_server, sources
from attack.errors import AttackError
from attack.feed_server import FeedServer
from attack.target import Target
from chaos.cells import Kind
from chaos.member import Member
from chaos.system import Logs, launched
from mousetrap.settings import environment
from mousetrap.settings.process import ApiSettings, FetchWorkerSettings, ProcessWorkerSettings
from mousetrap.stack import deployables, folder, ports, postgres, readiness, servers
from mousetrap.stack.deployables import Wishes
from mousetrap.stack.process import Process
from mousetrap.stack.servers import Servers
from mousetrap.stack.supervisor import Program
from support import confined
from support.confined import Confinement

MIB: Final = 1024 * 1024
MEMORY: Final = {"postgres": 1024 * MIB, "valkey": 640 * MIB}
PROCESS_MEMORY: Final = 256 * MIB
"""The limits of deploy/production.yaml."""

OPERATOR: Final = "operator"
USERS: Final = {"api": "api", "fetch_worker": "fetch", "process_worker": "process"}
"""The user of Valkey of each process."""

READS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "api": ApiSettings,
    "fetch_worker": FetchWorkerSettings,
    "process_worker": ProcessWorkerSettings,
}
SETTINGS: Final = {
    "log_format": "json",
    "grace": 3,
    "max_attempts": 2,
    "retry_delay": 0.2,
    "lease": 5,
}
"""Settings that differ from production: failures come early, limits stay."""

ACCEPTED: Final = 202
UNAVAILABLE: Final = 503
READY_WITHIN: Final = 120.0
PATIENCE: Final = 60.0


@dataclass(slots=True)
class System:
    """The processes, with an API that asks for tokens and one that does not.

    Cgroups limit their memory if that is `enforced`, else RLIMIT_DATA their private memory.
    `misdeeds` lists the processes that ended by themselves; they are started again.
    """

    open: Target
    guarded: Target
    tokens: Mapping[str, str]
    feeds: FeedServer
    victim: FeedServer
    members: Sequence[Member]
    logs: Logs
    enforced: bool
    _real: Servers = field(repr=False)
    _redis: Mapping[str, str] = field(repr=False)

    @property
    def misdeeds(self) -> list[str]:
        """Return the unexpected ends of processes so far."""
        return [misdeed for member in self.members for misdeed in member.misdeeds]

    @property
    def ends(self) -> int:
        """Return their number."""
        return len(self.misdeeds)

    @contextlib.asynccontextmanager
    async def database(
        self, role: str = "", database: str = accounts.DATABASE
    ) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Connect to Postgres as a role of ours, or as its operator."""
        connection = await asyncpg.connect(
            accounts.dsn(self._real, role, database), timeout=PATIENCE, command_timeout=10
        )
        try:
            yield connection
        finally:
            with contextlib.suppress(TimeoutError, OSError, asyncpg.PostgresError):
                await connection.close(timeout=5)

    @contextlib.asynccontextmanager
    async def queue(self, user: str = "") -> AsyncIterator[redis.asyncio.Redis]:
        """Connect to Valkey as one of its users, or as its operator."""
        url = self._redis[user] if user else self._real.redis_url
        async with redis.asyncio.Redis.from_url(url, socket_timeout=5) as client:
            yield client

    @contextlib.asynccontextmanager
    async def operator(self) -> AsyncIterator[redis.asyncio.Redis]:
        """Connect to Valkey as the user that may end a script; raises redis.RedisError."""
        if OPERATOR not in self._redis:
            raise redis.RedisError("users.acl has no operator")
        async with self.queue(OPERATOR) as client:
            yield client

    async def job(self, source: str, *, seconds: float = 30.0) -> Mapping[str, Any]:
        """Refresh a source and return its job once it has ended; raises TimeoutError.

        A refresh that is answered 503 is repeated, as its Retry-After asks for.
        """
        body = f'{{"source":"{source}"}}'.encode()
        async with asyncio.timeout(seconds):
            answer = await self.open.ask("POST /refresh", body=body)
            while answer.status == UNAVAILABLE:
                await asyncio.sleep(1)
                answer = await self.open.ask("POST /refresh", body=body)
        if answer.status != ACCEPTED:
            raise AttackError(f"the refresh of {source} was answered {answer.status}")
        return await self.ended(answer.json["job_id"], seconds=seconds)

    async def ended(self, job_id: str, *, seconds: float = 30.0) -> Mapping[str, Any]:
        """Return a job once it has ended; raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while True:
                answer = await self.open.ask(f"GET /jobs/{job_id}")
                if answer.status == 200 and answer.json["state"] != "queued":
                    found: Mapping[str, Any] = answer.json
                    return found
                await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def running(root: Path) -> AsyncIterator[System]:
    """Run everything in an empty folder until the end of the block; raises StackError."""
    logs = Logs(root)
    async with contextlib.AsyncExitStack() as stack:
        feeds = await stack.enter_async_context(feed_server.running())
        victim = await stack.enter_async_context(feed_server.running())
        held = stack.enter_context(folder.hold(root / "data"))
        limits = {
            name: stack.enter_context(confined.confined(most)) for name, most in MEMORY.items()
        }
        real = stack.enter_context(servers.run(held, output=logs))
        for server in real.processes:
            limits[server.name].enter(server.child.pid)
        accounts.create_roles(real, root)
        redis_urls = await accounts.create_users(real, accounts.users())
        api_ports = ports.free(2)
        path = sources.write(root, feeds, victim, api_ports[0])
        tokens, tokens_file = accounts.create_tokens(root)
        programs = _programs(real, redis_urls, path, api_ports, tokens_file)
        _migrate(real, path, logs)
        members = [
            _member(it, logs, stack.enter_context(confined.confined(PROCESS_MEMORY)))
            for it in programs
        ]
        for member in members:
            stack.callback(member.close)
            member.start()
        targets = [Target("127.0.0.1", port) for port in api_ports]
        system = System(
            targets[0],
            targets[1],
            tokens,
            feeds,
            victim,
            members,
            logs,
            limits[postgres.NAME].enforced,
            real,
            redis_urls,
        )
        for target in targets:
            target.own = system
        await _ready(members, logs)
        yield system


def _programs(
    real: Servers,
    redis_urls: Mapping[str, str],
    path: Path,
    api_ports: Sequence[int],
    tokens: Path,
) -> list[Program]:
    found = []
    for program in _plan(real, path, api_ports[0])[1]:
        given = {**SETTINGS, "redis_url": redis_urls[USERS[program.name]]}
        if program.name != "fetch_worker":
            given["postgres_dsn"] = accounts.dsn(real, USERS[program.name])
        found.append(_with(program, **given))
    api = next(it for it in found if it.name == "api")
    guarded = _with(api, port=api_ports[1], api_tokens_file=tokens, allowed_hosts="")
    return [*found, replace(guarded, name="api-guarded", health_port=api_ports[1])]


def _plan(real: Servers, path: Path, port: int) -> tuple[Program, list[Program]]:
    wishes = Wishes(port=port, sources=path, kept="")
    made = deployables.plan(real.addresses, wishes, os.environ)
    [migrate] = made.preparation
    return migrate, [it for group in made.services for it in group if it.name in USERS]


def _with(program: Program, **settings: object) -> Program:
    known = READS[program.name].__struct_fields__
    env = {environment.variable(k): str(v) for k, v in settings.items() if k in known}
    return replace(program, env={**program.env, **env})


def _migrate(real: Servers, path: Path, logs: Logs) -> None:
    program = _plan(real, path, ports.free(1)[0])[0]
    roles = {
        f"{environment.variable(it)}_ROLE": f"mousetrap_{it}"
        for it in accounts.ROLES
        if it != "owner"
    }
    env = {environment.variable("postgres_dsn"): accounts.dsn(real, "owner"), **roles}
    with launched(replace(program, env={**program.env, **env}), logs) as started:
        if started.child.wait(PATIENCE) != 0:
            raise AttackError(f"the database was not migrated:\n{logs.tail(program.name)}")


def _member(program: Program, logs: Logs, limit: Confinement) -> Member:
    @contextlib.contextmanager
    def launch() -> Iterator[Process]:
        with launched(program, logs) as started:
            _confine(started.child.pid, limit)
            yield started

    return Member(program.name, _kind(program.name), launch, port=program.health_port)


def _confine(pid: int, limit: Confinement) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        if limit.enforced:
            limit.enter(pid)
        else:
            resource.prlimit(pid, resource.RLIMIT_DATA, (PROCESS_MEMORY, PROCESS_MEMORY))


def _kind(name: str) -> Kind:
    return Kind.API if name.startswith("api") else Kind(name)


async def _ready(members: Sequence[Member], logs: Logs) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN):
            await asyncio.gather(*(readiness.wait(it.port) for it in members if it.port))
    except TimeoutError:
        tails = "\n".join(f"{it.name}:\n{logs.tail(it.name)}" for it in members)
        raise AttackError(f"the system does not become ready:\n{tails}") from None
