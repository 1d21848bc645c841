"""Mousetrap and its yardsticks, side by side on the same servers."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.database import connected
from bench.errors import BenchError
from mousetrap.stack import (
    deployables,
    folder,
    ports,
    postgres,
    process,
    readiness,
    servers,
    valkey,
)
from mousetrap.stack.deployables import Wishes
from mousetrap.stack.errors import StackError
from mousetrap.stack.output import LogFiles
from mousetrap.stack.process import Process
from mousetrap.stack.servers import Servers
from mousetrap.stack.supervisor import Program

SOURCES: Final = """
default = "100-points"
[sources.100-points]
kind = "faker"
count = 100
max_queued = 10_000_000
[sources.1-point]
kind = "faker"
count = 1
max_queued = 10_000_000
"""

STAGES: Final = {"bench.stages": 1, "bench.batched": 2}
"""The yardsticks of the pipeline, each with the number of its logical database."""
START_DEADLINE: Final = 60.0
STOP_GRACE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Side:
    """A side of a comparison: its port, the ids of its processes, its database."""

    port: int
    pids: Mapping[str, int]
    dsn: str


class System:
    """Starts sides, which live as long as the block of `running`. All methods raise StackError."""

    def __init__(
        self, real: Servers, root: Path, sources: Path, stack: contextlib.ExitStack
    ) -> None:
        self.root = root
        self._servers = real
        self._stack = stack
        self._logs = LogFiles(root)
        self._names: list[str] = []
        wishes = Wishes(port=ports.free(1)[0], sources=sources, kept=str(root))
        plan = deployables.plan(real.addresses, wishes, os.environ)
        [self._migrate] = plan.preparation
        # As in production, not as in `up`: the callers come through a proxy.
        settings = {
            "MOUSETRAP_LOG_FORMAT": "json",
            "MOUSETRAP_TRUSTED_PROXIES": "127.0.0.1",
        }
        self._programs = {
            program.name: _adapted(program, env=settings)
            for group in plan.services
            for program in group
        }

    @property
    def redis_url(self) -> str:
        """The address of the queue."""
        return self._servers.redis_url

    @property
    def valkey_pid(self) -> int:
        """The id of Valkey's process."""
        return self._pid(valkey.NAME)

    @property
    def postgres_pid(self) -> int:
        """The id of Postgres' main process."""
        return self._pid(postgres.NAME)

    async def mousetrap(self) -> Side:
        """Start the real processes."""
        self._complete(self._migrate)
        pids = await self._start(self._programs)
        return Side(_port(self._programs["api"]), pids, self._servers.postgres_dsn)

    async def api(self) -> Side:
        """Start only the API."""
        self._complete(self._migrate)
        api = self._programs["api"]
        return Side(_port(api), await self._start({"api": api}), self._servers.postgres_dsn)

    async def workers(self, count: int) -> dict[str, int]:
        """Start `count` workers of each kind; return the ids of their processes by name."""
        kinds = [it for name, it in self._programs.items() if name != "api"]
        health = iter(ports.free(count * len(kinds)))
        pids: dict[str, int] = {}
        for number in range(1, count + 1):  # started together they might not be ready in time
            pair = [_numbered(kind, number, next(health)) for kind in kinds]
            pids |= await self._start({it.name: it for it in pair})
        return pids

    async def bare(self, answer: Path) -> Side:
        """Start the yardstick of `GET /`, which has one answer."""
        program = self._stand_in("api", "bench.bare", str(answer))
        return Side(_port(program), await self._start({"api": program}), "")

    async def history(self) -> Side:
        """Start the yardstick of `GET /summaries`, on the database of the real processes."""
        program = self._stand_in("api", "bench.history")
        return Side(_port(program), await self._start({"api": program}), "")

    async def stages(self, module: str) -> Side:
        """Start a yardstick of the pipeline, one of STAGES, with databases of its own."""
        number = STAGES[module]
        database = f"yardstick_{number}"
        await self._create(database)
        own = {
            "MOUSETRAP_POSTGRES_DSN": self._servers.database(database),
            "MOUSETRAP_REDIS_URL": self._servers.logical_database(number),
        }
        self._complete(_adapted(self._migrate, env=own))
        programs = {name: self._stand_in(name, module, name, env=own) for name in self._programs}
        pids = await self._start(programs)
        return Side(_port(programs["api"]), pids, own["MOUSETRAP_POSTGRES_DSN"])

    def another(self, name: str) -> Program:
        """Return another process of one of our programs, with a port of its own."""
        [port] = ports.free(1)
        setting = "MOUSETRAP_PORT" if name == "api" else "MOUSETRAP_HEALTH_PORT"
        program = _adapted(self._programs[name], env={setting: str(port)})
        return replace(program, health_port=port)

    def logs(self) -> str:
        """Return the last lines of the log of every process."""
        return "\n".join(f"{name}:\n{self._logs.tail(name)}" for name in self._names)

    def _pid(self, name: str) -> int:
        [pid] = [it.child.pid for it in self._servers.processes if it.name == name]
        return pid

    async def _create(self, database: str) -> None:
        async with connected(self._servers.postgres_dsn, START_DEADLINE) as admin:
            await admin.execute(f"CREATE DATABASE {database}")

    def _stand_in(self, name: str, *command: str, env: Mapping[str, str] | None = None) -> Program:
        """Return a program that replaces one of ours and has its settings."""
        [port] = ports.free(1)
        program = _adapted(self._programs[name], env={**(env or {}), "MOUSETRAP_PORT": str(port)})
        return replace(
            program,
            name=f"{command[0]}.{name}",
            command=[sys.executable, "-m", *command],
            health_port=port if name == "api" else None,
        )

    async def _start(self, programs: Mapping[str, Program]) -> dict[str, int]:
        """Return the ids of the processes by name, once all are ready."""
        started = {
            name: self._stack.enter_context(process.running(self._spawn(program), grace=STOP_GRACE))
            for name, program in programs.items()
        }
        for name, program in programs.items():
            await self._ready(program, started[name])
        return {name: it.child.pid for name, it in started.items()}

    async def _ready(self, program: Program, started: Process) -> None:
        port, end = program.health_port, time.monotonic() + START_DEADLINE
        while port is not None and not await readiness.is_ready(port):
            if started.child.poll() is not None or time.monotonic() > end:
                raise self._failed(program)
            await asyncio.sleep(0.05)

    def _complete(self, program: Program) -> None:
        with process.running(self._spawn(program), grace=0) as started:
            if started.child.wait(START_DEADLINE) != 0:
                raise self._failed(program)

    def _spawn(self, program: Program) -> Process:
        self._names.append(program.name)
        return process.start(
            program.name,
            program.command,
            output=self._logs.open(program.name),
            env=program.env,
            cwd=Path.cwd(),
            end=signal.SIGTERM,
            death=signal.SIGKILL,
        )

    def _failed(self, program: Program) -> StackError:
        return StackError(f"{program.name} did not start:\n{self._logs.tail(program.name)}")


@contextlib.contextmanager
def running(root: Path, sources: Path | None = None) -> Iterator[System]:
    """Run the embedded servers in an empty folder, as durable as in production.

    Without `sources`, the sources are those of the comparisons.
    """
    with (
        folder.hold(root) as held,
        servers.run(held) as real,
        contextlib.ExitStack() as stack,
    ):
        system = System(real, root, sources or _sources(root), stack)
        try:
            yield system
        except BenchError as error:
            error.add_note(system.logs())
            raise


def _sources(root: Path) -> Path:
    path = root / "sources.toml"
    path.write_text(SOURCES)
    return path


def _adapted(program: Program, *, env: Mapping[str, str]) -> Program:
    return replace(program, env={**program.env, **env})


def _numbered(worker: Program, number: int, port: int) -> Program:
    changed = _adapted(worker, env={"MOUSETRAP_HEALTH_PORT": str(port)})
    name = worker.name if number == 1 else f"{worker.name} {number}"
    return replace(changed, name=name, health_port=port)


def _port(program: Program) -> int:
    assert program.health_port is not None, f"{program.name} answers no HTTP"
    return program.health_port
