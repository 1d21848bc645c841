"""A steady stream of callers, who retry and remember what they were promised."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import httpx2

from chaos.sources import DEFAULT, HONEST, SOURCES
from mousetrap.stack import ports

TIMEOUT: Final = 15.0
"""Seconds; every answer of the API has a deadline that is earlier than this."""
AT_ONCE: Final = 32
"""The most requests in flight; others wait, to leave processor time to the system."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 1.0
READS_PER_JOB: Final = 0.4
REPEATED: Final = 0.05
"""The share of accepted requests that are repeated."""


@dataclass(slots=True)
class Submission:
    """A refresh of a caller: the time of its first request, and the promised job."""

    key: str
    source: str
    submitted_at: float
    job_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """An answer of `GET /`: when it was asked for, of which source, and the job that it shows."""

    asked_at: float
    source: str
    job_id: UUID | None


class Load:
    """Callers of the API, who use its replicas in turns.

    `answers` counts answers by method and status, where 0 means no answer. `ended` has the jobs
    that they saw end, with the outcome. `flaws` are answers that no caller should get. `looks` are
    those of `GET /`, and `slowest` is the longest time in seconds that a request took, whether it
    was answered or not.
    """

    def __init__(
        self,
        api_ports: list[int],
        *,
        seed: int,
        per_second: float,
        names: Sequence[str] = tuple(SOURCES),
    ) -> None:
        self.submissions: list[Submission] = []
        self.answers: Counter[str] = Counter()
        self.ended: dict[UUID, str] = {}
        self.flaws: list[str] = []
        self.looks: list[Look] = []
        self.slowest = 0.0
        self._per_second = per_second
        self._names = names
        self._rng = random.Random(seed)  # noqa: S311 - the same in every run
        self._clients: dict[int, httpx2.AsyncClient] = {}
        self._ports: list[int] = []
        self.turn_to(api_ports)
        self._turn = 0
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._settling = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def accepted(self) -> dict[UUID, Submission]:
        """Return the refreshes that were answered with 202, by job."""
        return {it.job_id: it for it in self.submissions if it.job_id is not None}

    def turn_to(self, api_ports: list[int]) -> None:
        """Use these replicas from now on; requests in flight are still answered."""
        for port in api_ports:
            if port not in self._clients:
                self._clients[port] = httpx2.AsyncClient(
                    base_url=f"http://{ports.HOST}:{port}", timeout=TIMEOUT, trust_env=False
                )
        self._ports = list(api_ports)

    async def run(self) -> None:
        """Request refreshes at a steady rate until it is time to settle."""
        weights = [SOURCES[name].weight for name in self._names]
        due = time.monotonic()
        while not self._settling:
            self.submit(self._rng.choices(self._names, weights)[0])
            if self._rng.random() < READS_PER_JOB:
                self._go(self._read())
            # After a pause, missed callers are not made up for.
            due = max(due + 1 / self._per_second, time.monotonic() - 1)
            await asyncio.sleep(due - time.monotonic())

    def submit(self, source: str) -> Submission:
        """Request a refresh until it is accepted."""
        number = len(self.submissions)
        submission = Submission(f"chaos-{number}", source, time.time())
        self.submissions.append(submission)
        self._go(self._submit(submission, again=self._rng.random() < REPEATED))
        return submission

    async def settle(self, seconds: float) -> None:
        """Stop new requests and wait for the others; those that take too long give up."""
        self._settling = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Cancel all callers, and close their connections."""
        await self.settle(0)
        for client in self._clients.values():
            await client.aclose()

    async def get(self, path: str, **params: Any) -> httpx2.Response | None:
        """Send a request to one replica; None if it does not answer."""
        # Empty parameters would take the place of those in the path.
        return await self._ask("GET", path, params=params or None)

    def _go(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.flaws.append(f"a caller could not read an answer: {error!r}")

    async def _submit(self, submission: Submission, *, again: bool) -> None:
        pause = FIRST_PAUSE
        while submission.job_id is None:
            await self._post(submission)
            if submission.job_id is None:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        if again:
            await self._post(submission)

    async def _post(self, submission: Submission) -> None:
        answer = await self._ask(
            "POST",
            "/refresh",
            json={"source": submission.source},
            headers={"Idempotency-Key": submission.key},
        )
        if answer is None or answer.is_server_error:
            return  # it was checked already
        if answer.status_code != httpx2.codes.ACCEPTED:
            self.flaws.append(f"POST /refresh was answered {answer.status_code}: {answer.text}")
            return
        job_id = UUID(answer.json()["job_id"])
        if submission.job_id not in {None, job_id}:
            self.flaws.append(f"{submission.key} is job {submission.job_id}, and job {job_id}")
        submission.job_id = job_id

    async def _read(self) -> None:
        recent = [it.job_id for it in self.submissions[-500:] if it.job_id is not None]
        known = self._rng.sample(recent, min(3, len(recent)))
        paths = ["/", f"/?source={self._rng.choice(HONEST)}", "/sources", "/jobs?limit=5"]
        paths += ["/summaries?limit=5", *(f"/jobs/{it}" for it in known)]
        path = self._rng.choice(paths)
        asked_at = time.time()
        answer = await self.get(path)
        well = {httpx2.codes.OK, httpx2.codes.SERVICE_UNAVAILABLE}
        if answer is not None and answer.status_code not in well:
            self.flaws.append(f"GET {path} was answered {answer.status_code}: {answer.text}")
        elif answer is not None and answer.is_success and (path == "/" or path.startswith("/?")):
            shown = answer.json().get("job_id")
            source = path.partition("=")[2] or DEFAULT
            self.looks.append(Look(asked_at, source, None if shown is None else UUID(shown)))
        elif answer is not None and answer.is_success and path.startswith("/jobs/"):
            job = answer.json()
            if job["state"] != "queued":
                self.ended[UUID(job["job_id"])] = job["state"]

    async def _ask(self, method: str, path: str, **request: Any) -> httpx2.Response | None:
        async with self._slots:
            began = time.monotonic()
            try:
                answer = await self._client().request(method, path, **request)
            except httpx2.HTTPError as error:
                self.answers[f"{method} 0"] += 1
                if isinstance(error, httpx2.ReadTimeout):
                    self.flaws.append(f"{method} {path} was not answered within {TIMEOUT:g} s")
                return None
            finally:
                self.slowest = max(self.slowest, time.monotonic() - began)
        self.answers[f"{method} {answer.status_code}"] += 1
        if answer.is_server_error and not _comes_back(answer):
            self.flaws.append(f"{method} {path} was answered {answer.status_code}: {answer.text}")
        return answer

    def _client(self) -> httpx2.AsyncClient:
        self._turn += 1
        return self._clients[self._ports[self._turn % len(self._ports)]]


@contextlib.asynccontextmanager
async def running(
    api_ports: list[int], *, seed: int, per_second: float, names: Sequence[str] = tuple(SOURCES)
) -> AsyncIterator[Load]:
    """Let callers request refreshes of these sources within the block."""
    load = Load(api_ports, seed=seed, per_second=per_second, names=names)
    pump = asyncio.create_task(load.run())
    try:
        yield load
    finally:
        await load.close()
        await pump


def _comes_back(answer: httpx2.Response) -> bool:
    return (
        answer.status_code == httpx2.codes.SERVICE_UNAVAILABLE
        and answer.headers.get("retry-after", "").isdigit()
    )
