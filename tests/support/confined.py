"""Processes with a limit of memory, and the most that each of them took."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class _Files:
    """The names of one version of cgroups."""

    root: Path
    limit: str
    events: str


_VERSIONS = (
    _Files(CGROUPS, "memory.max", "memory.events"),
    _Files(CGROUPS / "memory", "memory.limit_in_bytes", "memory.oom_control"),
)


class Confinement:
    """A limit of memory for processes that `enter` before they begin.

    Where this user may make a cgroup, the kernel enforces it, as it does for a container.
    Otherwise nothing does, and the peak of a process tells whether it would have been killed:
    it counts shared libraries too, which a cgroup charges to the first process that reads them.
    """

    def __init__(self, group: Path | None, events: str) -> None:
        self._group = group
        self._events = events

    @property
    def enforced(self) -> bool:
        return self._group is not None

    def enter(self, pid: int = 0) -> None:
        """Put a process into it that has just begun, by default the calling one."""
        if self._group is not None:
            (self._group / "cgroup.procs").write_text(str(pid))

    def kills(self) -> int:
        """Return how many processes the kernel has killed for their memory."""
        if self._group is None:
            return 0
        found = re.search(
            r"^oom_kill (\d+)$", (self._group / self._events).read_text(), re.MULTILINE
        )
        return int(found[1]) if found else 0


@contextlib.contextmanager
def confined(limit: int) -> Iterator[Confinement]:
    """Confine processes to `limit` bytes; they must have ended when this does."""
    for files in _VERSIONS:
        if (group := _made(files, limit)) is not None:
            try:
                yield Confinement(group, files.events)
            finally:
                group.rmdir()
            return
    yield Confinement(None, "")


def _made(files: _Files, limit: int) -> Path | None:
    """Return a new cgroup, unless this user may not make one with a limit."""
    group = files.root / f"mousetrap-{uuid4().hex}"
    try:
        group.mkdir()
    except OSError:
        return None
    with contextlib.suppress(OSError):
        # The kernel makes the files of a cgroup; where it makes none, this is only a folder.
        with (group / files.limit).open("r+") as file:
            file.write(str(limit))
        return group
    group.rmdir()
    return None


def peak(pid: int) -> int:
    """Return the most bytes of memory that a process has had in RAM at a time."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found
    return int(found[1]) * 1024
