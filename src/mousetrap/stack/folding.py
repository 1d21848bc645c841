"""The lines of the servers: all of them in a log file, those that matter here on the console."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mousetrap.stack.console import FLUSH_DEADLINE, LONGEST_LINE, Console
from mousetrap.stack.output import LogFiles

POSTGRES: Final = (b" WARNING: ", b" ERROR: ", b" FATAL: ", b" PANIC: ")
VALKEY: Final = b" # "
"""It marks warnings of Valkey; its other lines are notices."""
HARMLESS: Final = (b"overcommit", b"Transparent Huge Pages", b"TCP backlog")
"""Warnings of Valkey about the machine that concern large or loaded servers."""


@dataclass(frozen=True, slots=True)
class FoldedOutput:
    """An Output for servers, with their log files in a folder."""

    console: Console
    folder: Path
    _pumps: dict[str, threading.Thread] = field(default_factory=dict)

    def open(self, name: str) -> int:
        """Return the descriptor of a pipe whose lines are kept, and shown if they matter."""
        reader, writer = os.pipe()
        # The log is looked into for the last words of a server that died.
        log = LogFiles(self.folder).open(name, empty=name not in self._pumps)
        pump = threading.Thread(target=self._pump, args=(name, reader, log), daemon=True)
        self._pumps[name] = pump
        pump.start()
        return writer

    def tail(self, name: str) -> str:
        """Return the end of the log file of an ended server."""
        self._pumps[name].join(FLUSH_DEADLINE)
        return LogFiles(self.folder).tail(name)

    def _pump(self, name: str, reader: int, log: int) -> None:
        shown: Callable[[bytes], bool] = valkey_matters if name == "valkey" else postgres_matters
        with os.fdopen(reader, "rb") as lines, os.fdopen(log, "ab", buffering=0) as kept:
            while line := lines.readline(LONGEST_LINE):
                kept.write(line)
                if shown(line):
                    self.console.say(name, line.decode(errors="replace").rstrip("\r\n"))


def postgres_matters(line: bytes) -> bool:
    """Tell whether a line of Postgres warns of something."""
    return any(level in line for level in POSTGRES)


def valkey_matters(line: bytes) -> bool:
    """Tell whether a line of Valkey warns of something that matters on a person's machine."""
    return (
        VALKEY in line and not any(it in line for it in HARMLESS) and b"ready to exit" not in line
    )
