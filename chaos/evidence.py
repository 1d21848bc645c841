"""The evidence, collected once the system has healed."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg
from redis.asyncio import Redis

from bench import usage
from chaos.cells import FOLLOWERS, LEASE, Kind
from chaos.load import Load
from chaos.sources import HONEST
from chaos.system import OURS, System
from mousetrap.queue.broker import FORGET_AFTER_LEASES
from mousetrap.queue.pieces import PREFIX as PIECES
from mousetrap.queue.stages import STAGES
from mousetrap.queue.streams import DEAD, GROUP
from mousetrap.store.outcomes import Change

STREAMS: Final = tuple(it.key for it in STAGES)
WAITINGS: Final = tuple(dict.fromkeys(it.waiting for it in STAGES))
UNFOLLOWED: Final = """
SELECT summary.job_id, wanted.stage, state, failures, error_detail
FROM summary CROSS JOIN unnest($1::text[]) AS wanted (stage)
LEFT JOIN follow_up ON (follow_up.job_id, follow_up.stage) = (summary.job_id, wanted.stage)
WHERE state IS DISTINCT FROM 'done'
"""
NO_EXPIRY: Final = -1
FORGOTTEN_AFTER: Final = 2 * FORGET_AFTER_LEASES * LEASE + 10
"""Seconds within which the name of a dead consumer must be swept."""


@dataclass(frozen=True, slots=True)
class Job:
    """The row of a job, with the numbers of its summaries and batches."""

    source: str
    sequence: int
    state: str
    attempts: int
    finished_at: float | None
    error_code: str | None
    error_detail: str | None
    summaries: int
    batches: int

    @property
    def outcome(self) -> str:
        """`queued`, `succeeded`, or the code of the error."""
        return self.error_code or self.state


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter."""

    queue: str
    reason: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory in bytes: the largest RSS of our processes of each kind, and that of Valkey.

    The latter is without the pieces of batches, which expire.
    """

    rss: Mapping[Kind, int]
    valkey: int


@dataclass(frozen=True, slots=True)
class Logged:
    """The evidence of the logs: how often an outcome ended each job, and the errors."""

    ended: Counter[str]
    errors: Counter[str]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All evidence to be judged.

    `unfollowed` are the summaries that a following stage has not finished. `left` counts leftovers
    in the queue by kind. `newest` has, by source, the job whose summary `GET /` shows and the job
    whose summary it should show.
    """

    jobs: Mapping[UUID, Job]
    letters: Sequence[Letter]
    left: Mapping[str, int]
    strays: Sequence[str]
    unfollowed: Sequence[str]
    newest: Mapping[str, tuple[str | None, str | None]]
    memory: Memory
    logged: Logged


async def gather(system: System, load: Load) -> Evidence:
    """Collect all evidence."""
    async with system.database() as database, system.queue() as queue:
        return Evidence(
            jobs=await jobs(database),
            letters=[*await _buried(database), *await _dead(queue)],
            left=await left(queue, kept=await _has_letters(database)),
            strays=[it async for it in _strays(queue)],
            unfollowed=await _unfollowed(database),
            newest={name: await _newest(database, load, name) for name in HONEST},
            memory=await memory(system),
            logged=logged(system),
        )


async def jobs(database: "asyncpg.Connection[asyncpg.Record]") -> dict[UUID, Job]:
    """Return all jobs."""
    rows = await database.fetch(
        "SELECT job.id, job.source, job.sequence, state, attempts,"
        " extract(epoch FROM finished_at)::float8 AS at,"
        " error_code, error_detail,"
        " count(summary.job_id) AS summaries, count(kept.job_id) AS batches"
        " FROM job LEFT JOIN summary ON summary.job_id = job.id"
        # The version before keeps batches in a table of its own.
        " LEFT JOIN (SELECT job_id FROM batch"
        " UNION ALL SELECT job_id FROM batch_part WHERE number = 0) AS kept ON kept.job_id = job.id"
        " GROUP BY job.id"
    )
    return {
        row["id"]: Job(
            source=row["source"],
            sequence=row["sequence"],
            state=row["state"],
            attempts=row["attempts"],
            finished_at=row["at"],
            error_code=row["error_code"],
            error_detail=row["error_detail"],
            summaries=row["summaries"],
            batches=row["batches"],
        )
        for row in rows
    }


async def drained(system: System) -> bool:
    """Return whether every job has ended and been followed up, and the queue is empty."""
    async with system.database() as database, system.queue() as queue:
        if await database.fetchval("SELECT EXISTS (SELECT FROM job WHERE state = 'queued')"):
            return False
        if await _unfollowed(database):
            return False
        return not any((await left(queue, kept=await _has_letters(database))).values())


async def left(queue: "Redis", *, kept: bool) -> dict[str, int]:
    """Return the leftovers in the queue that should not be there.

    Dead letters may stay as long as they are not `kept` elsewhere.
    """
    found = {f"{stream}, entries": int(await queue.xlen(stream)) for stream in STREAMS}
    for stream in STREAMS:
        groups: Any = await queue.xinfo_groups(stream) if await queue.exists(stream) else ()
        found[f"{stream}, pending"] = sum(group["pending"] for group in groups)
    for waiting in WAITINGS:
        found[waiting] = int(await queue.zcard(waiting))
    if kept:
        found[DEAD] = int(await queue.xlen(DEAD))
    expiries = [await queue.ttl(key) async for key in _pieces(queue)]
    found["pieces of batches for ever"] = expiries.count(NO_EXPIRY)
    return found


async def memory(system: System) -> Memory:
    """Return the current use."""
    async with system.queue() as queue:
        info: Any = await queue.info("memory")
        pieces = sum([await queue.memory_usage(key) or 0 async for key in _pieces(queue)])
    rss = {
        kind: max(usage.memory(it.pid).rss for it in system.pick(kind) if it.lives)
        for kind in system.members
        if kind in OURS
    }
    return Memory(rss, int(info["used_memory"]) - pieces)


def logged(system: System) -> Logged:
    """Read the logs of all our processes."""
    ended, errors = Counter[str](), Counter[str]()
    for line in _lines(system):
        if line.get("event") == "outcome received" and line.get("job") == Change.ENDED:
            ended[str(line.get("job_id"))] += 1
        if line.get("level") in {"error", "critical"}:
            # The first line of the event, the last one of the traceback: the rest is full of paths.
            event = str(line.get("event")).splitlines()[:1]
            reason = str(line.get("exception", "")).strip().splitlines()[-1:]
            errors[": ".join([str(line.get("service")), *event, *reason])] += 1
    return Logged(ended, errors)


def _lines(system: System) -> Iterator[dict[str, Any]]:
    for member in system.everyone:
        if member.kind in OURS:
            yield from _parsed(system.logs.lines(member.name))


def _parsed(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            continue  # the last line of a killed process
        if isinstance(found, dict):
            yield found


def _pieces(queue: "Redis") -> AsyncIterator[bytes]:
    """Return the keys of pieces; those whose sender or reader was killed stay for a while."""
    found: AsyncIterator[bytes] = queue.scan_iter(match=f"{PIECES}*", count=1000)
    return found


async def _has_letters(database: "asyncpg.Connection[asyncpg.Record]") -> bool:
    return bool(await database.fetchval("SELECT to_regclass('dead_letter') IS NOT NULL"))


async def _buried(database: "asyncpg.Connection[asyncpg.Record]") -> list[Letter]:
    if not await _has_letters(database):
        return []
    rows = await database.fetch("SELECT queue, reason, body FROM dead_letter")
    return [Letter(row["queue"], row["reason"], row["body"]) for row in rows]


async def _dead(queue: "Redis") -> list[Letter]:
    entries: Any = await queue.xrange(DEAD)
    return [Letter(it[b"queue"].decode(), it[b"reason"].decode(), it[b"data"]) for _, it in entries]


async def _unfollowed(database: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    stages = [stage.name for stage in FOLLOWERS]
    # Before an update the table may be missing.
    rows = await database.fetch(UNFOLLOWED, stages) if stages else ()
    return [
        f"{it['stage']} of {it['job_id']}: {it['state']} after {it['failures']} failures:"
        f" {it['error_detail']}"
        for it in rows
    ]


async def _strays(queue: "Redis") -> Any:
    for stream in STREAMS:
        if not await queue.exists(stream):
            continue
        consumers: Any = await queue.xinfo_consumers(stream, GROUP)
        for it in consumers:
            if it["idle"] > FORGOTTEN_AFTER * 1000:
                yield f"{it['name'].decode()} of {stream}, idle for {it['idle'] / 1000:g} s"


async def _newest(
    database: "asyncpg.Connection[asyncpg.Record]", load: Load, source: str
) -> tuple[str | None, str | None]:
    answer = await load.get("/", source=source)
    shown = answer.json().get("job_id") if answer is not None else None
    right = await database.fetchval(
        "SELECT job_id::text FROM summary WHERE source = $1 ORDER BY sequence DESC LIMIT 1", source
    )
    return shown, right
