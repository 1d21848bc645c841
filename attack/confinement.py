"""Limits on the memory of a process: a cgroup where this user may make one, else RLIMIT_DATA."""

import contextlib
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

MIB: Final = 1024 * 1024
UNIFIED: Final = Path("/sys/fs/cgroup")
LEGACY: Final = Path("/sys/fs/cgroup/memory")

Confine = Callable[[str, int, int], None]
"""Confines a process: its name, its id, and the most bytes that it and its children may take."""


class Cgroups:
    """A cgroup for each name below `root`, of version 2 or 1."""

    def __init__(self, root: Path, limit: str) -> None:
        self.how = "cgroup v2" if limit == "memory.max" else "cgroup v1"
        self._root = root
        self._limit = limit
        self._made: dict[str, Path] = {}

    def confine(self, name: str, pid: int, most: int) -> None:
        """Move a process that has just begun into the cgroup of its name."""
        folder = self._made.get(name)
        if folder is None:
            folder = self._made[name] = self._root / f"mousetrap-attack-{os.getpid()}-{name}"
            folder.mkdir()
            (folder / self._limit).write_text(str(most))
        with contextlib.suppress(ProcessLookupError):
            (folder / "cgroup.procs").write_text(str(pid))

    def close(self) -> None:
        """Remove the cgroups; their processes must have ended."""
        for folder in self._made.values():
            with contextlib.suppress(OSError):
                folder.rmdir()


class Rlimits:
    """The fallback: private memory of each process, without that of its children."""

    how = "RLIMIT_DATA"

    def confine(self, _: str, pid: int, most: int) -> None:
        """Limit the private memory of a process that has just begun."""
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_DATA, (most, most))

    def close(self) -> None:
        """Do nothing: a limit ends with its process."""


@contextlib.contextmanager
def confinement() -> Iterator[Cgroups | Rlimits]:
    """Yield the best way to confine processes on this machine."""
    found = _cgroups() or Rlimits()
    try:
        yield found
    finally:
        found.close()


def _cgroups() -> Cgroups | None:
    for root, limit in ((UNIFIED, "memory.max"), (LEGACY, "memory.limit_in_bytes")):
        trial = root / f"mousetrap-attack-{os.getpid()}"
        try:
            trial.mkdir()
        except OSError:
            continue
        usable = (trial / limit).exists()
        trial.rmdir()
        if usable:
            return Cgroups(root, limit)
    return None
