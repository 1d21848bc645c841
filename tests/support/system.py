"""The whole system as a person starts it, seen from outside."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from mousetrap.stack import ports
from support.lines import Lines

READY = "Mousetrap is ready."


class System:
    """A running `up`, its lines and its API."""

    def __init__(self, child: subprocess.Popen[bytes], port: int) -> None:
        self.child = child
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False)
        assert child.stdout is not None
        self._lines = Lines(child.stdout)

    @property
    def lines(self) -> list[str]:
        """All that it has said."""
        return self._lines.every

    def wait_for(self, text: str, *, deadline: float = 60.0) -> str:
        """Return the next line that holds a text."""
        return self._lines.find(re.escape(text), deadline=deadline).string

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
        self._lines.close(deadline=10)
        self.http.close()


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
        start_new_session=True,
    )
    system = System(child, port)
    try:
        yield system
    finally:
        system.close()
