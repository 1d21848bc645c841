"""What processes use: psutil's figures, but processor time to the nanosecond."""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil

# The scheduler's clock of a process; Linux' <linux/posix-timers_types.h> makes its id of a pid so.
CPUCLOCK_SCHED: Final = 2


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: `pss` shares what is shared evenly among those who share it, `rss` does not."""

    pss: int
    rss: int


def cpu_seconds(pid: int) -> float:
    """Return the time that all threads of a process have been on a processor so far.

    It is exact to the nanosecond; the ticks that psutil reads see nothing of a short round's work.
    """
    return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)


def family_cpu_seconds(pid: int) -> float:
    """Return the time of a process, of its descendants, and of its children that have ended."""
    ended = psutil.Process(pid).cpu_times()
    living = 0.0
    for member in family(pid):
        with suppress(OSError):  # it has just ended
            living += cpu_seconds(member)
    return ended.children_user + ended.children_system + living


def memory(pid: int) -> Memory:
    """Return what a process takes now; raises psutil.NoSuchProcess."""
    sizes = psutil.Process(pid).memory_full_info()
    return Memory(sizes.pss, sizes.rss)


def family_memory(pid: int) -> Memory:
    """Return what a process and all its descendants take now."""
    found = []
    for member in family(pid):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            found.append(memory(member))
    return Memory(sum(it.pss for it in found), sum(it.rss for it in found))


def family(pid: int) -> list[int]:
    """Return a process and all its descendants, parents first."""
    descendants: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        descendants = psutil.Process(pid).children(recursive=True)
    return [pid, *(each.pid for each in descendants)]
