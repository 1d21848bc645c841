"""The memory that each process takes for the largest feeds that the default settings permit."""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench.tables import Table, megabytes
from mousetrap.stack import folder, servers
from mousetrap.store.schema.migrations import migrate
from support.confined import confined
from support.largest import AT_ONCE, FEEDS, Passage, system

LIMIT: Final = 256 * 1024 * 1024
"""Bytes of memory for each process, as in deploy/production.yaml."""

PROCESSES: Final = ("fetch_worker", "process_worker", "api")


def measure(root: Path) -> Mapping[str, Passage]:
    """Let each feed pass through new processes; return the passages by the names of the feeds."""
    with folder.hold(root / "data") as held, servers.run(held) as real:
        return asyncio.run(_measure(root, real))


async def _measure(root: Path, real: servers.Servers) -> Mapping[str, Passage]:
    await migrate(real.postgres_dsn)
    found = {}
    for name, made in FEEDS.items():
        with ExitStack() as stack:
            limits = [stack.enter_context(confined(LIMIT)) for _ in PROCESSES]
            async with system(
                root, limits, postgres_dsn=real.postgres_dsn, redis_url=real.redis_url
            ) as running:
                found[name] = await running.passage(made())
    return found


def table(found: Mapping[str, Passage]) -> Table:
    """Return the peak of each process for each feed."""
    rows = [
        [
            name,
            f"{it.points:,}",
            megabytes(it.body),
            *(megabytes(it.peaks[process]) for process in PROCESSES),
        ]
        for name, it in found.items()
    ]
    title = f"Peak of resident memory, {AT_ONCE} at once, MB"
    return Table(title, ["points", "body", "fetch worker", "process worker", "API"], rows)


def flaws(found: Mapping[str, Passage]) -> list[str]:
    """Return the processes that took more than their limit."""
    return [
        f"{process} takes {size} bytes for {name}, the limit is {LIMIT}"
        for name, it in found.items()
        for process, size in it.peaks.items()
        if size > LIMIT
    ]
