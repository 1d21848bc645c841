"""The command line in this process or in one of its own; a server that plays the API."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from mousetrap.cli.command import main
from support import origin as origins
from support.processes import PYTHON_PATH


@dataclass
class Done:
    """The output of a command, and its exit code."""

    code: int
    out: str
    err: str


@dataclass
class Command:
    """The command line."""

    capsys: pytest.CaptureFixture[str]
    children: ExitStack

    async def run(self, *arguments: str) -> Done:
        """Run it in this process."""
        async with asyncio.timeout(60):
            code = await asyncio.to_thread(main, arguments)
        said = self.capsys.readouterr()
        return Done(code, said.out, said.err)

    def start(
        self, *arguments: str, stdout: int = subprocess.PIPE, **environment: str
    ) -> subprocess.Popen[str]:
        """Start it in a process of its own."""
        popen = subprocess.Popen(
            # As `./pants` starts it.
            [*("env", "--block-signal=INT"), sys.executable, "-m", "mousetrap.cli", *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": PYTHON_PATH, **environment},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        child = self.children.enter_context(popen)
        self.children.callback(child.kill)
        return child


@pytest.fixture
def mousetrap(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Command]:
    for name in [name for name in os.environ if name.startswith("MOUSETRAP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with ExitStack() as children:
        yield Command(capsys, children)
    structlog.reset_defaults()


@pytest.fixture
async def origin() -> AsyncIterator[origins.Origin]:
    async with origins.running() as running:
        yield running
