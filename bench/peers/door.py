"""Submits jobs; a job is accepted when its call has returned."""

import asyncio
import signal
import time
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Final, Protocol

import httpx2
import msgspec

from bench import load
from bench.load import HOST
from bench.peers.worker import Command
from mousetrap.stack import process

CONNECTIONS: Final = 16
PATIENCE: Final = 20.0


class Door(Protocol):
    """Submits jobs; `accepted` has the time at which each was accepted, by the wall clock."""

    accepted: dict[str, float]
    refused: int

    def submit(self, job: str) -> None:
        """Submit a job in the background, after all earlier ones."""

    async def rush(self, jobs: list[str]) -> None:
        """Submit jobs as fast as possible; return when all are accepted."""

    async def answered(self) -> None:
        """Wait for the answers to all submitted jobs, for some seconds."""

    async def close(self) -> None:
        """Accept no more jobs."""


class PipeDoor:
    """A program with the client of a peer's library: it reads ids and writes answers."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self.accepted: dict[str, float] = {}
        self.refused = 0
        self._child = child
        self._waiting = 0
        self._idle = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, command: Command, log: int) -> "PipeDoor":
        """Start the program; its errors go to the descriptor `log`."""
        tied = process.tied(command.arguments, cwd=Path.cwd(), death=signal.SIGKILL)
        child = await asyncio.create_subprocess_exec(
            *tied, env=dict(command.env), stdin=PIPE, stdout=PIPE, stderr=log
        )
        return cls(child)

    def submit(self, job: str) -> None:
        assert self._child.stdin is not None
        self._waiting += 1
        self._idle.clear()
        self._child.stdin.write(f"{job}\n".encode())

    async def rush(self, jobs: list[str]) -> None:
        for job in jobs:
            self.submit(job)
        await self.answered()

    async def answered(self) -> None:
        if self._waiting:
            await asyncio.wait([asyncio.create_task(self._idle.wait())], timeout=PATIENCE)

    async def close(self) -> None:
        if self._child.returncode is None:
            self._child.kill()
        await self._child.wait()
        await self._reader

    async def _read(self) -> None:
        assert self._child.stdout is not None
        async for line in self._child.stdout:
            answer = line.decode().split()[0]
            if answer.startswith("+"):
                self.accepted[answer[1:]] = time.time()
            else:
                self.refused += 1
            self._waiting -= 1
            if self._waiting == 0:
                self._idle.set()


class Answer(msgspec.Struct):
    """The part of the API's answer that is needed."""

    job_id: str


class HttpDoor:
    """`POST /refresh` for one source."""

    def __init__(self, port: int, source: str) -> None:
        self.accepted: dict[str, float] = {}
        self.refused = 0
        self._port = port
        self._body = msgspec.json.encode({"source": source})
        self._tasks: set[asyncio.Task[None]] = set()
        self._client = httpx2.AsyncClient(
            base_url=f"http://{HOST}:{port}",
            headers={"content-type": "application/json"},
            timeout=PATIENCE,
            trust_env=False,
        )

    def submit(self, _: str) -> None:
        self._tasks.add(asyncio.create_task(self._post()))

    async def rush(self, jobs: list[str]) -> None:
        head = f"POST /refresh HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
        request = f"{head}Content-Length: {len(self._body)}\r\n\r\n".encode() + self._body
        await load.drive(
            self._port,
            request,
            status=202,
            connections=CONNECTIONS,
            go_on=load.times(len(jobs)),
        )

    async def answered(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _post(self) -> None:
        try:
            answer = await self._client.post("/refresh", content=self._body)
        except httpx2.HTTPError:
            self.refused += 1
            return
        if answer.status_code == httpx2.codes.ACCEPTED:
            self.accepted[msgspec.json.decode(answer.content, type=Answer).job_id] = time.time()
        else:
            self.refused += 1
