"""Destinations for the output of processes."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

TAIL_BYTES = 2000


class Output(Protocol):
    """Collects the output of processes by name."""

    def open(self, name: str) -> int:
        """Return a descriptor for the output of a process; the caller closes it."""

    def tail(self, name: str) -> str:
        """Return the end of the output of a process, or nothing if it was printed already."""


@dataclass(frozen=True, slots=True)
class LogFiles:
    """A file for each process, emptied when the process starts."""

    folder: Path

    def open(self, name: str, *, empty: bool = True) -> int:
        """Return the descriptor of a file, emptied first unless `empty` is false."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if empty else 0)
        return os.open(self._path(name), flags, 0o600)

    def tail(self, name: str) -> str:
        """Return the end of the file."""
        return self._path(name).read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.log"
