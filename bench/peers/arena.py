"""All contenders side by side on the same fresh servers, for one scenario."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from bench.peers import feed, servers
from bench.peers.contender import FETCH, PROCESS, STAGES, Contender, Ledger
from bench.peers.door import HttpDoor, PipeDoor
from bench.peers.errors import PeerError
from bench.peers.roster import FEW, PACKAGE, PEERS, Peer
from bench.peers.servers import Servers
from bench.peers.worker import Command, Worker
from bench.results import OURS
from mousetrap.stack import deployables, ports, readiness
from mousetrap.stack.deployables import Wishes
from mousetrap.stack.output import LogFiles
from mousetrap.stack.supervisor import Plan, Program

NAMES: Final = (OURS, *(peer.library for peer in PEERS))
START_DEADLINE: Final = 60.0

TABLE: Final = """
CREATE TABLE effect (
    job text NOT NULL,
    points jsonb NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
EFFECTS: Final = Ledger(
    """
    SELECT job, count(*), min(extract(epoch FROM stored_at))::float8 FROM effect GROUP BY job
    """,
    "SELECT count(*) FROM effect",
)
SUMMARIES: Final = Ledger(
    """
    SELECT job_id::text, count(*), min(extract(epoch FROM processed_at))::float8
    FROM summary GROUP BY job_id
    """,
    "SELECT count(*) FROM summary",
)
SOURCES: Final = """
default = "slow"
[sources.slow]
kind = "geojson"
url = "{url}"
allow_private = true
min_interval = 0
max_in_flight = 64
max_bytes = 65_536
max_queued = 10_000_000
[sources.invented]
kind = "faker"
count = {points}
max_queued = 10_000_000
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of all contenders: seconds of lease, and the delay of a source.

    Workers have `few` jobs in hand, or the number with which they are fastest.
    """

    lease: int
    delay: float
    few: bool


@dataclass(frozen=True, slots=True)
class Arena:
    """The servers and the contenders, on the same terms."""

    servers: Servers
    contenders: Sequence[Contender]
    terms: Terms


@dataclass(frozen=True, slots=True)
class Setup:
    """The folders, with PEX files unpacked in `pex_root`, and the names of the contenders."""

    root: Path
    pex_root: Path
    names: Sequence[str]


@asynccontextmanager
async def opened(setup: Setup, scenario: str, terms: Terms) -> AsyncIterator[Arena]:
    """Run the servers and the contenders; each has stored a first job.

    Raises PeerError.
    """
    with servers.running(setup.root / scenario) as running:
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(feed.serve(terms.delay))
            contenders = []
            for number, name in enumerate(NAMES):
                if name in setup.names:
                    corner = _Corner(running, number, setup.pex_root, url, terms)
                    contenders.append(await corner.contender(name))
                    stack.push_async_callback(contenders[-1].stop)
            await asyncio.gather(*(contender.ready() for contender in contenders))
            yield Arena(running, contenders, terms)


@dataclass(frozen=True, slots=True)
class _Corner:
    """The corner of a contender: `number` is its logical database in Valkey."""

    servers: Servers
    number: int
    pex_root: Path
    feed: str
    terms: Terms

    @property
    def _logs(self) -> LogFiles:
        return LogFiles(self.servers.root)

    async def contender(self, name: str) -> Contender:
        dsn = await self.servers.database(f"on_{name}")
        if name == OURS:
            return await self._ours(dsn)
        return await self._peer(next(peer for peer in PEERS if peer.library == name), dsn)

    async def _peer(self, peer: Peer, dsn: str) -> Contender:
        connection = await asyncpg.connect(dsn)
        await connection.execute(TABLE)
        concurrency = FEW if self.terms.few else peer.many
        env = {
            "PEER_CONCURRENCY": str(concurrency),
            "PEER_DATABASE": str(self.number),
            "PEER_DELAY": str(self.terms.delay),
            "PEER_LEASE": str(self.terms.lease),
            "PEER_POSTGRES_DSN": dsn,
            "PEER_SOCKET": str(self.servers.socket),
            "PEX_ROOT": str(self.pex_root),
        }
        submit = ["-m", f"{PACKAGE}.submit", peer.pipeline]
        command = peer.command("submit", submit, env)
        door = await PipeDoor.open(command, self._logs.open(command.name))
        workers = {
            stage: Worker(peer.command(stage, peer.arguments(stage, concurrency), env), self._logs)
            for stage in STAGES
        }
        return Contender(peer.library, door, workers, connection, EFFECTS)

    async def _ours(self, dsn: str) -> Contender:
        [port] = ports.free(1)
        plan = self._plan(dsn, port)
        [migrate] = plan.preparation
        await self._complete(migrate)
        started = {
            program.name: Worker(self._command(program), self._logs)
            for group in plan.services
            for program in group
        }
        await self._ready(plan, started)
        stages = {FETCH: started["fetch_worker"], PROCESS: started["process_worker"]}
        return Contender(
            OURS,
            HttpDoor(port, "slow" if self.terms.delay else "invented"),
            {**stages, "api": started["api"]},
            await asyncpg.connect(dsn),
            SUMMARIES,
        )

    def _plan(self, dsn: str, port: int) -> Plan:
        sources = self.servers.root / "sources.toml"
        sources.write_text(SOURCES.format(url=self.feed, points=feed.POINTS))
        wishes = Wishes(port=port, sources=sources, kept=str(self.servers.root))
        return deployables.plan(self.servers.addresses(dsn, self.number), wishes, os.environ)

    def _command(self, program: Program) -> Command:
        # Logs as in production.
        own = {"MOUSETRAP_LOG_FORMAT": "json", "MOUSETRAP_LEASE": str(self.terms.lease)}
        if self.terms.few and program.name != "api":
            own["MOUSETRAP_CONCURRENCY"] = str(FEW)
        return Command(program.name, program.command, {**program.env, **own})

    async def _complete(self, program: Program) -> None:
        child = await asyncio.create_subprocess_exec(
            *map(str, program.command), env=dict(program.env), stdout=self._logs.open(program.name)
        )
        if await child.wait() != 0:
            raise PeerError(f"{program.name} failed:\n{self._logs.tail(program.name)}")

    async def _ready(self, plan: Plan, started: dict[str, Worker]) -> None:
        end = time.monotonic() + START_DEADLINE
        for group in plan.services:
            for program in group:
                assert program.health_port is not None
                while not await readiness.is_ready(program.health_port):
                    if time.monotonic() > end:
                        raise PeerError(f"{program.name}:\n{started[program.name].log()}")
                    await asyncio.sleep(readiness.PERIOD)
