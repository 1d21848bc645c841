"""What processes use, as Linux tells it."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
# The scheduler's clock of a process; Linux' <linux/posix-timers_types.h> makes its id of a pid so.
CPUCLOCK_SCHED: Final = 2


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: `pss` shares what is shared evenly among those who share it, `rss` does not."""

    pss: int
    rss: int


def cpu_seconds(pid: int) -> float:
    """Return the time that all threads of a process have been on a processor so far.

    It is exact to the nanosecond; the ticks of /proc/PID/stat see nothing of a short round's work.
    """
    return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)


def family_cpu_seconds(pid: int) -> float:
    """Return the time of a process, of its descendants, and of its children that have ended."""
    ended = sum(map(int, _stat(pid)[13:15])) / os.sysconf("SC_CLK_TCK")
    living = 0.0
    for member in family(pid):
        with suppress(OSError):  # it has just ended
            living += cpu_seconds(member)
    return ended + living


def memory(pid: int) -> Memory:
    """Return what a process takes now."""
    rows = [line.split() for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines()]
    sizes = {row[0]: int(row[1]) * 1024 for row in rows[1:]}
    return Memory(sizes["Pss:"], sizes["Rss:"])


def family_memory(pid: int) -> Memory:
    """Return what a process and all its descendants take now."""
    found = []
    for member in family(pid):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            found.append(memory(member))
    return Memory(sum(it.pss for it in found), sum(it.rss for it in found))


def arguments(pid: int) -> list[str]:
    """Return the command line of a process."""
    return (PROC / str(pid) / "cmdline").read_text().rstrip("\0").split("\0")


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    parents = dict(_parents())
    found = [pid]
    for member in found:  # grows as it is walked
        found += [child for child, parent in parents.items() if parent == member]
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                yield int(entry.name), int(_stat(int(entry.name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended


def _stat(pid: int) -> list[str]:
    # After the name, which may hold anything: the state, the parent, ...
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
