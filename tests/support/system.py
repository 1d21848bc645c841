"""The whole system as a person starts it, seen from outside."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from mousetrap.stack import ports

READY = "Mousetrap is ready."


class System:
    """A running `up`, its lines and its API."""

    def __init__(self, child: subprocess.Popen[str], port: int) -> None:
        self.child = child
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False)
        self.lines: list[str] = []
        self._fresh: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, text: str, *, deadline: float = 60.0) -> str:
        """Return the next line that holds a text."""
        end = time.monotonic() + deadline
        with contextlib.suppress(queue.Empty):
            while (line := self._fresh.get(timeout=max(0.0, end - time.monotonic()))) is not None:
                if text in line:
                    return line
        raise AssertionError(f"it never said {text!r}:\n" + "\n".join(self.lines))

    def refresh(self, **body: str) -> str:
        """Ask for a refresh and return the job's path."""
        answer = self.http.post("/refresh", json=body)
        assert answer.status_code == 202, answer.text
        return answer.headers["location"]

    def ended(self, job: str, *, deadline: float = 30.0) -> dict[str, Any]:
        """Return a job once it has ended."""
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            found: dict[str, Any] = self.http.get(job).raise_for_status().json()
            if found["state"] != "queued":
                return found
            time.sleep(0.05)
        raise AssertionError(f"{job} has not ended:\n" + "\n".join(self.lines[-40:]))

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.child.send_signal(number)
        return self.child.wait(30)

    def close(self) -> None:
        """End it, whatever state it is in."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(30)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self._reader.join(10)
        self.http.close()

    def _read(self) -> None:
        assert self.child.stdout is not None
        with self.child.stdout as stream:
            for line in stream:
                self.lines.append(line.rstrip())
                self._fresh.put(line.rstrip())
        self._fresh.put(None)


@contextlib.contextmanager
def up(data: Path, *arguments: str, **environment: str) -> Iterator[System]:
    """Start the system with its data in a folder; it need not be ready yet."""
    [port] = ports.free(1)
    child = subprocess.Popen(
        [sys.executable, "-m", "mousetrap.stack", f"--port={port}", f"--data={data}", *arguments],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            # The command line of the person who runs the tests is not to find it.
            "XDG_STATE_HOME": str(data.with_name(f"{data.name}.state")),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    system = System(child, port)
    try:
        yield system
    finally:
        system.close()
