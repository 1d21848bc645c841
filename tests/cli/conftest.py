"""The command line in this process or in one of its own; a server that plays the API."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from mousetrap.cli.command import main
from support import origin as origins
from support.processes import PYTHON_PATH

Command = Callable[..., Awaitable["Done"]]
Start = Callable[..., subprocess.Popen[str]]


@dataclass
class Done:
    """The output of a command, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def mousetrap(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Command]:
    for name in [name for name in os.environ if name.startswith("MOUSETRAP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    async def run(*arguments: str) -> Done:
        async with asyncio.timeout(60):
            code = await asyncio.to_thread(main, arguments)
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    yield run
    structlog.reset_defaults()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start the command line in a process of its own."""
    children: list[subprocess.Popen[str]] = []

    def run(
        *arguments: str, stdout: int = subprocess.PIPE, **environment: str
    ) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            # As `./pants` starts it.
            [*("env", "--block-signal=INT"), sys.executable, "-m", "mousetrap.cli", *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": PYTHON_PATH, **environment},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield run
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
async def origin() -> AsyncIterator[origins.Origin]:
    async with origins.running() as running:
        yield running
