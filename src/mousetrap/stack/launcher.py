"""Starts a server, waits until it is ready, and stops it."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mousetrap.stack import process
from mousetrap.stack.errors import ServerStartError, StackError
from mousetrap.stack.folder import Folder
from mousetrap.stack.identity import Identity
from mousetrap.stack.output import Output
from mousetrap.stack.process import Process

START_DEADLINE = 60.0
STOP_GRACE = 10.0


@dataclass(frozen=True, slots=True)
class Launcher:
    """Starts servers that keep the data folder locked while they run."""

    folder: Folder
    user: Identity
    output: Output

    @contextlib.contextmanager
    def running(
        self,
        name: str,
        command: Sequence[str | Path],
        cwd: Path,
        ready: Callable[[Process], bool],
    ) -> Iterator[Process]:
        """Run a server during the block; raises StackError when it does not become ready."""

        def begin() -> Process:
            # To Postgres, SIGINT is a fast shutdown; on it, Valkey writes its data and ends.
            return self._start(name, command, cwd, self.output, signal.SIGINT)

        server = replace(begin(), again=begin)
        with process.running(server, grace=STOP_GRACE):
            end = time.monotonic() + START_DEADLINE
            while not ready(server):
                status = server.child.poll()
                if status is not None:
                    raise self._failed(name, f"ended with status {status}", self.output)
                if time.monotonic() > end:
                    raise self._failed(name, f"took over {START_DEADLINE:g} s", self.output)
                time.sleep(0.01)
            yield server

    def complete(self, name: str, command: Sequence[str | Path], cwd: Path, output: Output) -> None:
        """Run a command to its end; raises StackError when it fails."""
        started = self._start(name, command, cwd, output, signal.SIGKILL)
        with process.running(started, grace=STOP_GRACE):
            try:
                status = started.child.wait(START_DEADLINE)
            except subprocess.TimeoutExpired:
                raise self._failed(name, f"took over {START_DEADLINE:g} s", output) from None
        if status != 0:
            raise self._failed(name, f"ended with status {status}", output)

    def _start(
        self,
        name: str,
        command: Sequence[str | Path],
        cwd: Path,
        output: Output,
        end: signal.Signals,
    ) -> Process:
        return process.start(
            name,
            command,
            output=output.open(name),
            env=_environment(os.environ),
            cwd=cwd,
            end=end,
            death=end,
            identity=self.user.form,
            keep=[self.folder.lock],
        )

    def _failed(self, name: str, reason: str, output: Output) -> ServerStartError:
        return ServerStartError(
            f"{name} did not start, it {reason}: see its log, and if that does not help, start"
            f" with another data folder than {self.folder.root}\n{output.tail(name)}".rstrip()
        )


def package(name: str) -> Path:
    """Return the folder of an installed package, without importing it; raises StackError."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise StackError(f"the package {name} is not installed: install {name.replace('_', '-')}")
    return Path(spec.submodule_search_locations[0])


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    # Postgres honours PGDATESTYLE and the like, and the locale of its caller.
    kept = {name: value for name, value in environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
