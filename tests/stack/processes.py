"""Programs started for a test, what they print, and the proof that they are gone."""

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic

import psutil

from support.lines import Lines

DEADLINE = 60.0

BLOCKED = ("env", "--block-signal=INT")
"""As `./pants` starts programs, which unblock the signal when they can end silently."""

PYTHON_PATH = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)


class Program:
    """A Python program whose output, standard error included, is read line by line."""

    def __init__(
        self, *arguments: str, cwd: Path, env: dict[str, str] | None = None, blocked: bool = False
    ) -> None:
        self.child = subprocess.Popen(
            [*(BLOCKED if blocked else ()), sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={
                **os.environ,
                "PYTHONPATH": PYTHON_PATH,
                "XDG_STATE_HOME": str(cwd / "state"),
                **(env or {}),
            },
            start_new_session=True,
        )
        assert self.child.stdout is not None
        self._lines = Lines(self.child.stdout)

    @property
    def lines(self) -> list[str]:
        """The lines up to the one that was found last."""
        return self._lines.passed

    @property
    def text(self) -> str:
        """Those lines in one piece."""
        return "\n".join(self.lines)

    def line(self, pattern: str) -> re.Match[str]:
        """Read on until a line matches."""
        return self._lines.find(pattern, deadline=DEADLINE)

    def wait(self) -> int:
        """Wait for the end, and for the last line."""
        status = self.child.wait(DEADLINE)
        self._lines.finish(deadline=DEADLINE)
        return status

    def abandon(self) -> None:
        """Stop reading, with the next line, so that the program soon cannot write any more."""
        self._lines.abandon()

    def close(self) -> None:
        """Leave nothing behind."""
        with suppress(ProcessLookupError):
            os.kill(self.child.pid, signal.SIGKILL)
        self.child.wait(DEADLINE)
        self._lines.close(deadline=DEADLINE)
        assert self.child.stdin is not None
        self.child.stdin.close()


class Programs(ExitStack):
    """Starts Python programs, none of which outlives the block."""

    def __init__(self, cwd: Path) -> None:
        super().__init__()
        self._cwd = cwd

    def start(
        self, *arguments: str, env: dict[str, str] | None = None, blocked: bool = False
    ) -> Program:
        program = Program(*arguments, cwd=self._cwd, env=env, blocked=blocked)
        self.callback(program.close)
        return program


class Watch:
    """Processes that are to end; watched from before that on, so their ids cannot mislead."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._handles: list[int] = []
        for pid in pids:
            with suppress(ProcessLookupError):
                self._handles.append(os.pidfd_open(pid))

    def ended(self, deadline: float = 10.0) -> bool:
        """Tell whether all of them end in time."""
        end = monotonic() + deadline
        try:
            return all(
                select.select([handle], [], [], max(0.0, end - monotonic()))[0]
                for handle in self._handles
            )
        finally:
            for handle in self._handles:
                os.close(handle)


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    descendants = psutil.Process(pid).children(recursive=True)
    return [pid, *(each.pid for each in descendants)]


def send(number: signal.Signals, pids: Sequence[int]) -> None:
    """Send a signal to all that still live."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
