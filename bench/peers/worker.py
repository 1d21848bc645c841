"""A process that is started again whenever it ends, as by an init system."""

import asyncio
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mousetrap.stack import process
from mousetrap.stack.output import LogFiles
from mousetrap.stack.process import Process

# What most init systems wait before they start a process again that ended by itself.
PAUSE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Command:
    """What is to run, under which name and with which environment, and nothing else of ours."""

    name: str
    arguments: Sequence[str | Path]
    env: Mapping[str, str]


class Worker:
    """A worker of a contender, with its children; they are a process group of their own."""

    def __init__(self, command: Command, logs: LogFiles) -> None:
        self.deaths = 0
        self._command = command
        self._logs = logs
        self._starts = 0
        self._wanted = True
        self._killed = False
        self._restart: asyncio.TimerHandle | None = None
        self._process = self._start()

    def kill(self) -> None:
        """Kill the worker and its children; it is started again at once."""
        self._killed = True
        self._signal(signal.SIGKILL)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the worker and its children do nothing within the block."""
        try:
            self._signal(signal.SIGSTOP)
            yield
        finally:
            self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill the worker for good."""
        self._wanted = False
        if self._restart is not None:
            self._restart.cancel()
        self._signal(signal.SIGKILL)
        self._process.child.wait()

    def log(self) -> str:
        """Return the end of what the worker wrote since it was started last."""
        return self._logs.tail(self._log_name)

    @property
    def _log_name(self) -> str:
        return f"{self._command.name}.{self._starts}"

    def _start(self) -> Process:
        self._starts += 1
        started = process.start(
            self._command.name,
            self._command.arguments,
            output=self._logs.open(self._log_name),
            env=self._command.env,
            cwd=Path.cwd(),
            end=signal.SIGTERM,
            death=signal.SIGTERM,
        )
        ended = os.pidfd_open(started.child.pid)
        asyncio.get_running_loop().add_reader(ended, self._ended, ended)
        return started

    def _signal(self, number: signal.Signals) -> None:
        # Until it is waited for, its id and that of its group are nobody else's.
        if self._process.child.returncode is None:
            os.killpg(self._process.child.pid, number)

    def _ended(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(descriptor)
        os.close(descriptor)
        if not self._wanted:
            return
        if not self._killed:
            self.deaths += 1
            self._signal(signal.SIGKILL)  # its children, which it may have left behind
        self._process.child.wait()
        self._restart = loop.call_later(0 if self._killed else PAUSE, self._again)
        self._killed = False

    def _again(self) -> None:
        self._process = self._start()
