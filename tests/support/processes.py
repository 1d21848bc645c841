"""A deployable in a process of its own, seen from outside: what it logs, answers and leaves."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import httpx2

DEADLINE = 30.0

COVERAGE = "COVERAGE_PROCESS_CONFIG"
"""The variable by which coverage traces the processes that tests start."""
PYTHON_PATH = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)


def printed(program: str, *arguments: str) -> str:
    """Return what a Python program writes on standard output; it must write nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


class Process:
    """A running Python program whose log is JSON."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdout
        assert child.stderr
        self.lines: list[dict[str, Any]] = []
        self._child = child
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read(child.stdout))
        self._complaints = asyncio.create_task(child.stderr.read())

    async def _read(self, output: asyncio.StreamReader) -> None:
        try:
            while line := await output.readline():
                self.lines.append(json.loads(line))
                self._news.set()
        finally:
            self._news.set()

    async def logged(self, event: str, **fields: object) -> dict[str, Any]:
        """Return the first line about an event, once there is one."""
        async with asyncio.timeout(DEADLINE):
            while not (found := self.all_logged(event, **fields)):
                assert not self._reading.done(), f"ended without {event!r}: {self.lines}"
                self._news.clear()
                await self._news.wait()
        return found[0]

    def all_logged(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Return the lines about an event so far."""
        wanted = {"event": event, **fields}
        return [line for line in self.lines if all(line.get(k) == wanted[k] for k in wanted)]

    async def health(self, check: str) -> tuple[int, dict[str, Any]]:
        """Ask the process how it is."""
        port = (await self.logged("health checks are served"))["port"]
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/health/{check}")
            return answer.status_code, answer.json()

    async def ready(self, status: int = 200) -> dict[str, str]:
        """Wait until the readiness check answers with a status; return what it says."""
        async with asyncio.timeout(DEADLINE):
            while True:
                answered, report = await self.health("ready")
                if answered == status:
                    checks: dict[str, str] = report["checks"]
                    return checks
                await asyncio.sleep(0.05)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        return self._child.returncode is not None

    def send(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    async def end(self, deadline: float = DEADLINE) -> tuple[int, str]:
        """Wait for the end; return the exit code and what was written to standard error."""
        async with asyncio.timeout(deadline):
            await asyncio.wait({self._reading, self._complaints})
            code = await self._child.wait()
        self._reading.result()
        return code, self._complaints.result().decode()

    async def kill(self) -> None:
        """End it at once, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        await self.end()


@contextlib.asynccontextmanager
async def running(
    module: str,
    *arguments: str,
    settings: dict[str, str | None],
    enter: Callable[[], None] | None = None,
) -> AsyncIterator[Process]:
    """Run a deployable with these settings and no others; those that are None are left out.

    It calls `enter` before it begins.
    """
    environment = {f"MOUSETRAP_{k.upper()}": v for k, v in settings.items() if v is not None}
    program = ("-m", f"mousetrap.{module}", *arguments)
    async with python(*program, enter=enter, **environment) as process:
        yield process


class Starter:
    """Starts a deployable as often as it is asked to; `async with` ends them all."""

    def __init__(self, module: str, **settings: str) -> None:
        self._module = module
        self._settings = settings
        self._stack = contextlib.AsyncExitStack()

    async def __call__(self, *arguments: str, **changes: str | None) -> Process:
        """Start one with these arguments; keywords are settings, and None leaves one out."""
        settings: dict[str, str | None] = {**self._settings, **changes}
        process = running(self._module, *arguments, settings=settings)
        return await self._stack.enter_async_context(process)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._stack.aclose()


@contextlib.asynccontextmanager
async def python(
    *arguments: str, enter: Callable[[], None] | None = None, **environment: str
) -> AsyncIterator[Process]:
    """Run Python with these variables and no others but its paths."""
    with tempfile.TemporaryDirectory() as own:  # a killed process leaves its files
        paths = {"PATH": os.environ["PATH"], "PYTHONPATH": PYTHON_PATH, "TMPDIR": own}
        paths |= {COVERAGE: os.environ[COVERAGE]} if COVERAGE in os.environ else {}
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, *arguments),
            env=paths | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=enter,
        )
        process = Process(child)
        try:
            yield process
        finally:
            await process.kill()
