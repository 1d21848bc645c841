"""Poison: entries of the queue that a compromised worker could write."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

from attack.case import Act, Attack, Kind
from attack.errors import NotHeldError
from attack.system import System
from attack.target import Target
from mousetrap.queue.stages import FETCH, PROCESS, Stage
from mousetrap.queue.streams import DEAD

PATIENCE: Final = 20.0
ATTEMPTS: Final = 100.0
"""Seconds in which a job ends whose source never answers: a message that is given up ends none."""
GOOD: Final = {
    "queue": "mousetrap:fetch",
    "reason": "planted",
    "deliveries": "3",
    "size": "2",
    "job_id": "",
    "data": "{}",
}

ODD_LETTERS: Final[dict[str, dict[str, Any]]] = {
    "deliveries that are no number": {"deliveries": "abc"},
    "deliveries beyond 32 bits": {"deliveries": "99999999999"},
    "deliveries below zero": {"deliveries": "-1"},
    "a NUL in its queue": {"queue": "a\x00b"},
    "a NUL in its reason": {"reason": "a\x00b"},
    "a NUL in its entry": {"id": "a\x00b"},
    "a queue that is not UTF-8": {"queue": b"\xff\xfe"},
    "a reason that is not UTF-8": {"reason": b"\xff\xfe"},
    "a reason of 1 MB": {"reason": "r" * 1_000_000},
    "a size that is no number": {"size": "big"},
    "a size beyond 64 bits": {"size": str(2**80)},
    "a job that is none": {"job_id": "not-a-job"},
    "a job of no one": {"job_id": str(uuid.UUID(int=7))},
    "escapes in its reason": {"reason": "\x1b[2J"},
    "a body of 1 MB": {"data": b"\x00" * 1_000_000},
}

LONG: Final = "n" * 5_000_000


def attacks() -> Iterator[Attack]:
    """Yield all attacks of this kind."""
    for name, fields in ODD_LETTERS.items():
        yield _attack(f"a dead letter with {name}", "M5", _letter({**GOOD, **fields}))
    yield _attack("a dead letter without fields", "M5", _letter({"note": "nothing"}))
    for stage in (FETCH, PROCESS):
        for name, data in _messages(stage).items():
            yield _attack(f"{name} in {stage.key}", "", _message(stage, data))
        yield _attack(f"34 MB in {stage.key}", "H4", _message(stage, b"[" + b" " * 34 * 2**20))
    yield _attack("a batch with a name of 5 MB", "L2", _outcome(_batch(LONG)))
    yield _attack("a failure with escapes", "L2", _outcome(_failure("bad\x1b[2J", "\x1b]0;a\x07")))
    yield _attack("a failure of 5 MB", "L2", _outcome(_failure("code", LONG)))
    yield _attack("an outcome of a job that has ended", "", _twice)
    yield _attack("a forged notice of a job", "L1", _notice)
    yield _attack("notices that are not JSON", "L1", _odd_notices)


def _attack(name: str, finding: str, act: Act) -> Attack:
    return Attack(Kind.POISON, name, finding, act, seconds=PATIENCE * 2 + ATTEMPTS)


def _messages(stage: Stage[Any]) -> dict[str, bytes]:
    def envelope(task: str, *args: object, **more: object) -> bytes:
        fields = {"task_id": "a", "task_name": task, "labels": {}, "args": args, "kwargs": {}}
        return json.dumps(fields | more).encode()

    job = {"job_id": str(uuid.UUID(int=9)), "source": "demo", "type": "fetch-requested"}
    return {
        "no JSON": b"{no",
        "bytes that are not UTF-8": b"\xff\xfe",
        "deep nesting": b"[" * 200_000,
        "an unknown task": envelope("os.system", "true"),
        "no arguments": envelope(stage.task),
        "an argument that is no object": envelope(stage.task, 7),
        "a version to come": envelope(stage.task, job | {"version": 99}),
        "a path for a source": envelope(stage.task, job | {"source": "../../etc/passwd"}),
        "labels that ask for a delay": envelope(stage.task, job, labels={"delay": "1e9"}),
        "a pickle": b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.",
    }


def _letter(fields: Mapping[str, Any]) -> Act:
    """After an odd letter, a good one must still be collected."""

    async def act(target: Target) -> None:
        system = target.system
        marker = f"9{uuid.uuid4().int % 10**12}-0"
        async with system.queue("fetch") as queue:
            odd: Any = {"id": f"8{uuid.uuid4().int % 10**12}-0", **fields}
            await queue.xadd(DEAD, odd)
            good: Any = {**GOOD, "id": marker}
            await queue.xadd(DEAD, good)
        if not await _until(lambda: _is_stored(system, marker)):
            async with system.queue() as queue:
                await queue.delete(DEAD)  # so that the next attack finds a clean table
            raise NotHeldError("a letter after it is not collected")
        answer = await target.ask("GET /dead-letters")
        if answer.status >= 500:
            raise NotHeldError(f"GET /dead-letters is answered {answer.status}")

    return act


def _message(stage: Stage[Any], data: bytes) -> Act:
    """After an odd message, jobs must still succeed, and no worker may have ended."""

    async def act(target: Target) -> None:
        system = target.system
        ends = system.ends
        user = "api" if stage is FETCH else "fetch"
        async with system.queue(user) as queue:
            await queue.xadd(stage.key, {"data": data})
        await _works(system, ends)

    return act


def _outcome(change: Callable[[str], Mapping[str, Any]]) -> Act:
    """The text of a fetch worker about a job must be bounded and plain before it is stored."""

    async def act(target: Target) -> None:
        system = target.system
        ends = system.ends
        job_id = await _queued(system)
        fields = {"task_id": "a", "task_name": PROCESS.task, "labels": {}, "kwargs": {}}
        data = json.dumps({**fields, "args": [change(job_id)]}).encode()
        async with system.queue("fetch") as queue:
            await queue.xadd(PROCESS.key, {"data": data})
        job = await system.ended(job_id, seconds=ATTEMPTS)
        texts = [json.dumps(job, ensure_ascii=False)]
        if job["state"] == "succeeded":
            points = await target.ask(f"GET /summaries/{job_id}/points")
            texts.append(points.body.decode("utf-8", "replace"))
        if any("\x1b" in it or "\\u001b" in it for it in texts):
            raise NotHeldError("escapes of a terminal were stored")
        if max(map(len, texts)) > 100_000:
            raise NotHeldError(f"{max(map(len, texts))} characters were stored")
        await _works(system, ends)

    return act


def _batch(name: str) -> Callable[[str], Mapping[str, Any]]:
    return lambda job_id: {
        "type": "batch-fetched",
        "job_id": job_id,
        "fetched_at": "2026-11-25T12:00:00Z",
        "points": [{"lat": 1.0, "lon": 2.0, "name": name}],
    }


def _failure(code: str, detail: str) -> Callable[[str], Mapping[str, Any]]:
    return lambda job_id: {
        "type": "fetch-failed",
        "job_id": job_id,
        "failed_at": "2026-11-25T12:00:00Z",
        "code": code,
        "detail": detail,
        "retryable": False,
    }


async def _twice(target: Target) -> None:
    system = target.system
    job = await system.job("demo")
    forged = _failure("forged", "forged")(job["job_id"])
    fields = {"task_id": "a", "task_name": PROCESS.task, "labels": {}, "kwargs": {}}
    async with system.queue("fetch") as queue:
        data = json.dumps({**fields, "args": [forged]}).encode()
        await queue.xadd(PROCESS.key, {"data": data})
    await system.job("demo")
    if (await system.ended(job["job_id"]))["state"] != job["state"]:
        raise NotHeldError("a job that had succeeded has failed")


async def _notice(target: Target) -> None:
    """A notice that no row backs must not reach those who listen."""
    system, forged = target.system, str(uuid.uuid4())
    now = "2026-11-29T12:00:00Z"
    payload = {
        "job_id": forged,
        "sequence": 10**9,
        "source": "demo",
        "state": "succeeded",
        "attempts": 1,
        **dict.fromkeys(("requested_at", "fetched_at", "finished_at", "changed_at"), now),
    }
    async with system.open.connected() as wire:
        await wire.send(system.open.request("GET /events", keep=True))
        await wire.receive(seconds=3, until=b"event: ready")
        await _notify(system, json.dumps(payload))
        await system.job("demo")
        heard = await wire.receive(seconds=2)
    if forged.encode() in heard.raw:
        raise NotHeldError("the forged job was told to those who listen")


async def _odd_notices(target: Target) -> None:
    system = target.system
    ends = system.ends
    for payload in ("", "{", "null", "[]", '{"job_id": 1}', "x" * 7_000):
        await _notify(system, payload)
    await _works(system, ends)


async def _notify(system: System, payload: str) -> None:
    for channel in ("mousetrap_jobs", "mousetrap_summaries"):
        try:
            async with system.database("admin") as database:
                await database.execute("SELECT pg_notify($1, $2)", channel, payload)
        except OSError:
            return


async def _queued(system: System) -> str:
    """Return a job whose source does not answer for a while."""
    answer = await system.open.ask("POST /refresh", body=b'{"source": "never"}')
    job_id: str = answer.json["job_id"]
    return job_id


async def _works(system: System, ends: int) -> None:
    try:
        job = await system.job("demo", seconds=PATIENCE)
    except TimeoutError:
        raise NotHeldError("no job ends after it") from None
    if job["state"] != "succeeded":
        raise NotHeldError(f"a job after it has {job['state']}")
    if system.ends > ends:
        raise NotHeldError("; ".join(system.misdeeds[ends:]))


async def _is_stored(system: System, entry: str) -> bool:
    async with system.database() as database:
        query = "SELECT count(*) FROM dead_letter WHERE entry_id = $1"
        return bool(await database.fetchval(query, entry))


async def _until(condition: Callable[[], Awaitable[bool]]) -> bool:
    for _ in range(int(PATIENCE / 0.5)):
        if await condition():
            return True
        await asyncio.sleep(0.5)
    return False
