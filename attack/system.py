"""A system of our own: embedded servers, the roles and limits of production, hostile sources."""

import asyncio
import contextlib
import hashlib
import os
import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec
import redis.asyncio

from attack import confinement, feed_server, sources
from attack.confinement import MIB, Cgroups, Rlimits
from attack.errors import AttackError
from attack.feed_server import FeedServer
from attack.target import Target
from chaos.member import Member
from chaos.plan import Kind
from chaos.system import Logs, launched
from mousetrap.settings import environment
from mousetrap.settings.process import ApiSettings, FetchWorkerSettings, ProcessWorkerSettings
from mousetrap.stack import deployables, folder, ports, postgres, readiness, servers
from mousetrap.stack.process import Process
from mousetrap.stack.servers import Servers
from mousetrap.stack.supervisor import Program

MEMORY: Final = {"postgres": 1024 * MIB, "valkey": 640 * MIB}
PROCESS_MEMORY: Final = 256 * MIB
"""The limits of deploy/production.yaml."""

DATABASE: Final = "mousetrap"
ROLES: Final = ("owner", "api", "process", "follow_up", "admin")
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

SCOPES: Final = {
    "read": "read",
    "refresh": "refresh",
    "refresh-other": "refresh",
    "operate": "operate",
    "metrics": "metrics",
    "read-refresh-operate": "read,refresh,operate",
    "read-refresh-metrics": "read,refresh,metrics",
    "read-operate-metrics": "read,operate,metrics",
    "refresh-operate-metrics": "refresh,operate,metrics",
}
"""The tokens of the guarded API, named after their scopes."""

READY_WITHIN: Final = 180.0
PATIENCE: Final = 60.0


@dataclass(slots=True)
class System:
    """The processes, with an API that asks for tokens and one that does not.

    `misdeeds` lists the processes that ended by themselves; they are started again.
    """

    open: Target
    guarded: Target
    tokens: Mapping[str, str]
    feeds: FeedServer
    victim: FeedServer
    members: Sequence[Member]
    logs: Logs
    how: str
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
        self, role: str = "", database: str = DATABASE
    ) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Connect to Postgres as a role of ours, or as its operator."""
        connection = await asyncpg.connect(
            dsn(self._real, role, database), timeout=PATIENCE, command_timeout=10
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
        """Refresh a source and return its job once it has ended; raises TimeoutError."""
        answer = await self.open.ask("POST /refresh", body=f'{{"source":"{source}"}}'.encode())
        if answer.status != 202:
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


def dsn(real: Servers, role: str, database: str = DATABASE) -> str:
    """Return the address of a database for a role of ours; for its operator if it is empty."""
    name = f"mousetrap_{role}" if role else postgres.USER
    return real.database(database).replace(f"//{postgres.USER}@", f"//{name}@")


@contextlib.asynccontextmanager
async def running(root: Path) -> AsyncIterator[System]:
    """Run everything in an empty folder until the end of the block; raises StackError."""
    logs = Logs(root)
    async with contextlib.AsyncExitStack() as stack:
        feeds = await stack.enter_async_context(feed_server.running())
        victim = await stack.enter_async_context(feed_server.running())
        held = stack.enter_context(folder.hold(root / "data"))
        confined = stack.enter_context(confinement.confinement())
        real = stack.enter_context(servers.run(held, output=logs))
        for server in real.processes:
            confined.confine(server.name, server.child.pid, MEMORY[server.name])
        _create_roles(real, root)
        redis_urls = await _create_users(real, _users())
        api_ports = ports.free(2)
        path = sources.write(root, feeds, victim, api_ports[0])
        tokens = {name: secrets.token_urlsafe(24) for name in SCOPES}
        programs = _programs(real, redis_urls, path, api_ports, _tokens_file(root, tokens))
        _migrate(real, path, logs)
        members = [_member(it, logs, confined) for it in programs]
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
            confined.how,
            real,
            redis_urls,
        )
        for target in targets:
            target.own = system
        await _ready(members, logs)
        yield system


def _create_roles(real: Servers, root: Path) -> None:
    """Run deploy/postgres/roles.sql with passwords of its own."""
    folder = root / "passwords"
    folder.mkdir()
    for name in (*ROLES, "superuser"):
        (folder / f"postgres_{name}_password").write_text(secrets.token_hex(16))
    script = Path("deploy/postgres/roles.sql").read_text("utf-8")
    done = subprocess.run(
        [postgres.binary("psql"), "-q", "-X", "-d", real.postgres_dsn, "-f", "-"],
        input=script.replace("/run/secrets", str(folder)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    shutil.rmtree(folder)
    if done.returncode != 0:
        raise AttackError(f"deploy/postgres/roles.sql failed: {done.stderr.strip()}")


def _users() -> list[str]:
    return Path("deploy/valkey/users.acl").read_text("utf-8").splitlines()


async def _create_users(real: Servers, lines: Sequence[str]) -> dict[str, str]:
    """Create the users of `lines`, as in an ACL file; return the URL of each."""
    password = secrets.token_hex(16)
    urls = {}
    async with redis.asyncio.Redis.from_url(real.redis_url, socket_timeout=5) as operator:
        client: Any = operator
        for line in lines:
            _, name, rules = line.split(maxsplit=2)
            if name == "default":
                continue  # it is the operator of these servers
            given = rules.replace(f"#{name.upper()}_PASSWORD", f">{password}")
            await client.execute_command("ACL", "SETUSER", name, *_split(given))
            urls[name] = real.redis_url.replace("unix://", f"unix://{name}:{password}@")
    return urls


def _split(rules: str) -> Iterator[str]:
    """Yield the rules of a user; a selector in brackets is one."""
    while rules := rules.strip():
        end = rules.find(")") + 1 if rules.startswith("(") else rules.find(" ")
        yield rules[: end if end > 0 else None].strip()
        rules = rules[end:] if end > 0 else ""


def _tokens_file(root: Path, tokens: Mapping[str, str]) -> Path:
    path = root / "tokens"
    path.write_text(
        "".join(
            f"{name} {scopes} {hashlib.sha256(tokens[name].encode()).hexdigest()}\n"
            for name, scopes in SCOPES.items()
        )
    )
    path.chmod(0o600)
    return path


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
            given["postgres_dsn"] = dsn(real, USERS[program.name])
        found.append(_with(program, **given))
    api = next(it for it in found if it.name == "api")
    guarded = _with(api, port=api_ports[1], api_tokens_file=tokens, allowed_hosts="")
    return [*found, replace(guarded, name="api-guarded", health_port=api_ports[1])]


def _plan(real: Servers, path: Path, port: int) -> tuple[Program, list[Program]]:
    made = deployables.plan(real.addresses, port=port, sources=path, kept="", environ=os.environ)
    [migrate] = made.preparation
    return migrate, [it for group in made.services for it in group if it.name in USERS]


def _with(program: Program, **settings: object) -> Program:
    known = READS[program.name].__struct_fields__
    env = {environment.variable(k): str(v) for k, v in settings.items() if k in known}
    return replace(program, env={**program.env, **env})


def _migrate(real: Servers, path: Path, logs: Logs) -> None:
    program = _plan(real, path, ports.free(1)[0])[0]
    roles = {f"{environment.variable(it)}_ROLE": f"mousetrap_{it}" for it in ROLES if it != "owner"}
    env = {environment.variable("postgres_dsn"): dsn(real, "owner"), **roles}
    with launched(replace(program, env={**program.env, **env}), logs) as started:
        if started.child.wait(PATIENCE) != 0:
            raise AttackError(f"the database was not migrated:\n{logs.tail(program.name)}")


def _member(program: Program, logs: Logs, confined: Cgroups | Rlimits) -> Member:
    @contextlib.contextmanager
    def launch() -> Iterator[Process]:
        with launched(program, logs) as started:
            confined.confine(program.name, started.child.pid, PROCESS_MEMORY)
            yield started

    return Member(program.name, _kind(program.name), launch, port=program.health_port)


def _kind(name: str) -> Kind:
    return Kind.API if name.startswith("api") else Kind(name)


async def _ready(members: Sequence[Member], logs: Logs) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN):
            await asyncio.gather(*(readiness.wait(it.port) for it in members if it.port))
    except TimeoutError:
        tails = "\n".join(f"{it.name}:\n{logs.tail(it.name)}" for it in members)
        raise AttackError(f"the system does not become ready:\n{tails}") from None
