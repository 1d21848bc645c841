"""A process that is restarted whenever it ends, as by an init system."""

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

# The delay of most init systems before they restart a process that ended by itself.
PAUSE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its name and its complete environment."""

    name: str
    arguments: Sequence[str | Path]
    env: Mapping[str, str]


class Worker:
    """A worker of a contender with its children, as a process group."""

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
        """Kill the worker and its children; it is restarted at once."""
        self._killed = True
        self._signal(signal.SIGKILL)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Stop the worker and its children within the block."""
        try:
            self._signal(signal.SIGSTOP)
            yield
        finally:
            self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Kill the worker without a restart."""
        self._wanted = False
        if self._restart is not None:
            self._restart.cancel()
        self._signal(signal.SIGKILL)
        self._process.child.wait()

    def log(self) -> str:
        """Return the end of the worker's output since its last start."""
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
        # Until it is waited for, no other process can have its id or that of its group.
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
            self._signal(signal.SIGKILL)  # children that it left behind
        self._process.child.wait()
        self._restart = loop.call_later(0 if self._killed else PAUSE, self._again)
        self._killed = False

    def _again(self) -> None:
        self._process = self._start()
