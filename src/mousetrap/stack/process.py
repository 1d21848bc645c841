"""A child process that ends with this one, also when this one is killed."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mousetrap.stack import shim
from mousetrap.stack.errors import StackError

SAME = "same"


@dataclass(frozen=True, slots=True)
class Process:
    """A running child; `end` is the signal that asks it to shut down.

    `again` starts it once more after its death, if that is possible.
    """

    name: str
    child: subprocess.Popen[bytes]
    end: signal.Signals
    again: "Callable[[], Process] | None" = None

    def stop(self, *, grace: float) -> None:
        """Ask the process to end, and kill it when it has not after `grace` seconds."""
        self.child.send_signal(self.end)
        try:
            self.child.wait(grace)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def start(  # noqa: PLR0913 - all that can be said of a child
    name: str,
    command: Sequence[str | Path],
    *,
    output: int,
    env: Mapping[str, str],
    cwd: Path,
    end: signal.Signals,
    death: signal.Signals,
    identity: str = SAME,
    keep: Sequence[int] = (),
) -> Process:
    """Start a command that writes to the descriptor `output`, which is closed here.

    The child leads a process group of its own, so that Ctrl-C does not reach it. When this
    process dies, the kernel sends the child the signal `death` (on Linux; elsewhere the child
    lives on). `identity` is the form of a `mousetrap.stack.identity.Identity`; the descriptors
    in `keep` stay open in the child. Raises StackError.
    """
    try:
        child = subprocess.Popen(  # noqa: S603 - the commands are ours
            tied(command, cwd=cwd, death=death, identity=identity),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(env),
            cwd=cwd,
            pass_fds=keep,
            process_group=0,
        )
    except OSError as error:
        raise StackError(f"{name} cannot be started: {error}") from error
    finally:
        os.close(output)
    return Process(name, child, end)


def tied(
    command: Sequence[str | Path], *, cwd: Path, death: signal.Signals, identity: str = SAME
) -> list[str]:
    """Return the command that runs `command` as `identity` and ties its life to ours.

    Raises StackError outside the main thread.
    """
    plain = [str(part) for part in command]
    if sys.platform != "linux" and identity == SAME:
        return plain
    if threading.current_thread() is not threading.main_thread():
        # The kernel takes the parent for dead when the thread that forked has ended.
        raise StackError("processes must be started from the main thread: it outlives the others")
    python = [sys.executable, "-I", "-S", shim.__file__]
    return [*python, str(os.getpid()), str(int(death)), identity, str(cwd), *plain]


@contextlib.contextmanager
def running(process: Process, *, grace: float) -> Iterator[Process]:
    """Stop the process at the end of the block."""
    try:
        yield process
    finally:
        process.stop(grace=grace)
