"""The memory of the idle system of `./pants up`, each process with the packages of its image."""

import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from bench import usage
from bench.results import IN_ALL, Resident
from support.system import READY, up

LIMITS: Final = dict.fromkeys(("api", "fetch_worker", "process_worker"), 120_000_000)

ABSENT: Final = "fastapi"
"""Only the admin page has it, and taskiq imports it wherever it is installed."""


def measure(folder: Path) -> list[Resident]:
    """Start the system, run one job, and measure each process."""
    absent = folder.with_name("absent")
    absent.mkdir()
    absent.joinpath(f"{ABSENT}.py").write_text("raise ImportError(__name__)\n")
    with up(folder, PYTHONPATH=os.pathsep.join([str(absent), *sys.path])) as system:
        system.wait_for(READY)
        system.ended(system.refresh())
        system.http.get("/").raise_for_status()
        found = defaultdict[str, list[usage.Memory]](list)
        for pid in usage.family(system.child.pid):
            with suppress(psutil.NoSuchProcess):  # Postgres' helpers come and go
                found[_name(psutil.Process(pid).cmdline())].append(usage.memory(pid))
    return [_row(name, found[name]) for name in found]


def flaws(rows: Sequence[Resident]) -> list[str]:
    """Return the processes that exceed their limit."""
    in_all = sum(row.pss for row in rows)
    over = [row for row in rows if row.limit is not None and row.rss > row.limit]
    return [
        *(f"{row.name} takes {row.rss} bytes, the limit is {row.limit}" for row in over),
        *([f"in all {in_all} bytes, the limit is {IN_ALL}"] * (in_all > IN_ALL)),
    ]


def _row(name: str, processes: Sequence[usage.Memory]) -> Resident:
    pss, rss = (sum(values) for values in zip(*((it.pss, it.rss) for it in processes), strict=True))
    return Resident(name, len(processes), pss, rss, LIMITS.get(name))


def _name(arguments: Sequence[str]) -> str:
    """Return the package of one of our processes, or the name of another program."""
    if "-m" in arguments:
        package = arguments[arguments.index("-m") + 1].removeprefix("mousetrap.")
        return "up" if package == "stack" else package
    return Path(arguments[0].split()[0]).name.rstrip(":")
