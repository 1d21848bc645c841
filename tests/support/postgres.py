"""Looking at Postgres, and disturbing it, with a connection that is not the store's."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from mousetrap.store.engine import Engine

type Connection = asyncpg.Connection[asyncpg.Record]

DEADLINE = 20.0

_OURS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'mousetrap%'
"""

_QUEUE_AGAIN = """
UPDATE job
SET state = 'queued', attempts = 1, fetched_at = NULL, finished_at = NULL, error_code = NULL,
    error_detail = NULL
WHERE id = ANY ($1)
"""


async def backends(side: Connection) -> list[int]:
    """Return the process ids of the server's side of the store's connections."""
    return [row["pid"] for row in await side.fetch(_OURS)]


def cut_unnoticed(dsn: str) -> None:
    """End the store's connections while this thread's event loop is kept from noticing it."""

    async def cut() -> None:
        side = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
        try:
            for pid in await backends(side):
                await side.execute("SELECT pg_terminate_backend($1, 10000)", pid)
        finally:
            await side.close(timeout=10)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, cut()).result(DEADLINE)


async def until(side: Connection, condition: str, *args: Any) -> None:
    """Wait for an SQL condition on what goes on in the server."""
    async with asyncio.timeout(DEADLINE):
        while not await side.fetchval(f"SELECT {condition}", *args):
            await side.execute("SELECT pg_stat_clear_snapshot(), pg_sleep(0.01)")


def statements(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[object]]]:
    """Return a list of the statements that the store will have sent, with their arguments."""
    real = Engine._fetch  # noqa: SLF001 - the one way of all that run alone
    sent: list[tuple[str, list[object]]] = []

    async def record(self: Engine, call: Any, query: str, args: list[object]) -> object:
        sent.append((query, args))
        return await real(self, call, query, args)

    monkeypatch.setattr(Engine, "_fetch", record)
    return sent


async def queue_again(side: Connection, job_ids: Sequence[UUID]) -> None:
    """Have jobs wait as they did when they had just been submitted."""
    await side.execute(_QUEUE_AGAIN, job_ids)


async def plan(side: Connection, query: str, args: Sequence[object], *, generic: bool) -> Any:
    """Run a statement; return how it was done, with the values planned for or without.

    Postgres stops looking at the values of a statement that it is sent again and again.
    """
    await side.execute(f"SET plan_cache_mode = force_{'generic' if generic else 'custom'}_plan")
    await side.execute(f"PREPARE sent AS {query}")
    given = ", ".join(map(_literal, args))
    # EXPLAIN of the statement itself would always be planned for the values.
    told = await side.fetchval(f"EXPLAIN (ANALYZE, FORMAT json) EXECUTE sent({given})")
    await side.execute("DEALLOCATE sent")
    return json.loads(told)[0]["Plan"]


def scans(plan: Any, table: str) -> Iterator[Any]:
    """Give the parts of a plan that read rows of a table."""
    if plan.get("Relation Name") == table and "Scan" in plan["Node Type"]:
        yield plan
    for part in plan.get("Plans", ()):
        yield from scans(part, table)


def _literal(value: object) -> str:
    if isinstance(value, list | tuple):
        items = ("NULL" if it is None else json.dumps(str(it), ensure_ascii=False) for it in value)
        return _literal(f"{{{', '.join(items)}}}")
    text = str(value).replace("'", "''")
    return "NULL" if value is None else f"'{text}'"
