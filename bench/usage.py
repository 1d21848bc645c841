"""The resources of processes: psutil's figures, and processor time to the nanosecond."""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil

# The id of a process' CPU clock, made from its pid as in <linux/posix-timers_types.h>.
CPUCLOCK_SCHED: Final = 2


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: `pss` divides shared pages among the processes that share them, `rss` does not."""

    pss: int
    rss: int


def cpu_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process.

    It is exact to the nanosecond; the ticks that psutil reads are too coarse for a short round.
    """
    return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)


def family_cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, its descendants, and its ended children."""
    ended = psutil.Process(pid).cpu_times()
    living = 0.0
    for member in family(pid):
        with suppress(OSError):  # it has just ended
            living += cpu_seconds(member)
    return ended.children_user + ended.children_system + living


def memory(pid: int) -> Memory:
    """Return the memory of a process; raises psutil.NoSuchProcess."""
    sizes = psutil.Process(pid).memory_full_info()
    return Memory(sizes.pss, sizes.rss)


def family_memory(pid: int) -> Memory:
    """Return the memory of a process and all its descendants."""
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
