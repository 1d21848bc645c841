"""Callers who ask the API for refreshes all the time, and remember its answers."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import UUID, uuid4

import httpx2

from mousetrap.stack import ports
from support.postgres import Connection, until
from support.processes import Process, Starter

PAUSE: Final = 0.05
"""Seconds between two requests of the callers."""
DEADLINE: Final = 60.0

_JOBS: Final = """
SELECT id, idempotency_key AS key, state,
    (SELECT count(*) FROM summary WHERE job_id = job.id) AS summaries
FROM job
"""


class Callers:
    """Every other request has a key, and is repeated with it until the job is accepted.

    `accepted` has the keys of the jobs that were answered with 202, and `unknown` the jobs of which
    the API said that they may be stored. `statuses` counts the answers.
    """

    def __init__(self, url: str) -> None:
        self.accepted: dict[UUID, str | None] = {}
        self.unknown: set[UUID] = set()
        self.statuses: Counter[int] = Counter()
        self._client = httpx2.AsyncClient(base_url=url, timeout=10, trust_env=False)
        self._last_accepted = -float("inf")
        self._news = asyncio.Event()

    @contextlib.asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """Call throughout the block, and wait for the last answers at its end."""
        stop = asyncio.Event()
        async with self._client, asyncio.TaskGroup() as group:
            driver = group.create_task(self._drive(group, stop))
            try:
                yield
            finally:
                stop.set()
                await driver

    async def works_again(self, since: float) -> float:
        """Return the seconds from a moment until a job is accepted that was asked for after it."""
        async with asyncio.timeout(DEADLINE):
            while self._last_accepted < since:
                self._news.clear()
                await self._news.wait()
        return time.monotonic() - since

    async def check(self, database: Connection) -> None:
        """Wait until all jobs have ended; assert that none is lost, and none is there twice."""
        jobs = await self.wait_for_ends(database)
        assert self.accepted.keys() <= jobs.keys()
        assert jobs.keys() <= self.accepted.keys() | self.unknown
        assert {(it["state"], it["summaries"]) for it in jobs.values()} == {("succeeded", 1)}
        assert self.statuses.keys() <= {202, 503}

    async def wait_for_ends(self, database: Connection) -> dict[UUID, Any]:
        """Wait until all jobs have ended; return them."""
        await until(database, "NOT EXISTS (SELECT FROM job WHERE state = 'queued')")
        return {it["id"]: it for it in await database.fetch(_JOBS)}

    async def _drive(self, group: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            group.create_task(self._ask(None if number % 2 else uuid4().hex))
            await asyncio.sleep(PAUSE)

    async def _ask(self, key: str | None) -> None:
        asked = time.monotonic()
        headers = {} if key is None else {"Idempotency-Key": key}
        while True:
            answer = await self._client.post("/refresh", headers=headers)
            self.statuses[answer.status_code] += 1
            if answer.status_code == 202:
                job_id = UUID(answer.json()["job_id"])
                assert job_id not in self.accepted
                self.accepted[job_id] = key
                self._last_accepted = max(self._last_accepted, asked)
                self._news.set()
                return
            if "location" in answer.headers:
                self.unknown.add(UUID(answer.headers["location"].removeprefix("/jobs/")))
            if key is None:
                return
            await asyncio.sleep(10 * PAUSE)


class Fleet:
    """An API, a fetch worker and a process worker, each in a process of its own."""

    def __init__(self, url: str, processes: list[Process]) -> None:
        self.url = url
        self.processes = processes

    @property
    def process_worker(self) -> Process:
        """The process worker."""
        return self.processes[-1]

    async def are_ready(self) -> None:
        """Wait until each process is ready."""
        for worker in self.processes[1:]:
            await worker.ready()
        await _ready(self.url)

    def check(self) -> None:
        """Assert that each process still runs."""
        for process in self.processes:
            assert not process.has_ended


@contextlib.asynccontextmanager
async def fleet(**settings: str) -> AsyncIterator[Fleet]:
    """Run all processes with these settings, and yield once they are ready."""
    [port] = ports.free(1)
    sources = "tests/resources/sources.toml"
    common = {"sources_file": sources, "lease": "2", **settings}
    async with contextlib.AsyncExitStack() as stack:
        migrate = await stack.enter_async_context(Starter("process_worker", **settings))
        assert await (await migrate("migrate", redis_url=None)).end() == (0, "")
        processes = []
        for name in ("api", "fetch_worker", "process_worker"):
            own = {"port": str(port)} if name == "api" else {"health_port": "0"}
            start = await stack.enter_async_context(Starter(name, **common, **own))
            processes.append(await start())
        running = Fleet(f"http://127.0.0.1:{port}", processes)
        await running.are_ready()
        yield running


async def _ready(url: str) -> None:
    async with (
        httpx2.AsyncClient(base_url=url, trust_env=False) as client,
        asyncio.timeout(DEADLINE),
    ):
        while True:
            with contextlib.suppress(httpx2.TransportError):
                if (await client.get("/health/ready")).status_code == 200:
                    return
            await asyncio.sleep(PAUSE)
