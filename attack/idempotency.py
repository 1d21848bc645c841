"""Idempotency keys: those of another caller, and odd ones."""

from collections.abc import Iterator
from typing import Final

from attack.case import Act, Attack, Kind
from attack.errors import NotHeldError
from attack.target import Target

ACCEPTED: Final = 202
ODD: Final = {
    "an empty key": "",
    "a key with spaces": "a b",
    "a key of 256 characters": "k" * 256,
    "a key that is not ASCII": "\u00e9",
    "a key with a NUL": "a\x00b",
    "a key with a tab": "a\tb",
}


def attacks() -> Iterator[Attack]:
    """Yield all attacks of this kind."""
    yield Attack(Kind.IDEMPOTENCY, "the key of another caller", "L6", _of_another)
    yield Attack(Kind.IDEMPOTENCY, "a key for another source", "", _of_another_source)
    yield Attack(Kind.IDEMPOTENCY, "two keys", "", _two)
    for name, key in ODD.items():
        yield Attack(Kind.IDEMPOTENCY, name, "", _refused(key))


async def _of_another(target: Target) -> None:
    system = target.system
    jobs = []
    for name in ("refresh", "refresh-other"):
        token = system.tokens[name]
        headers = {"Idempotency-Key": "guessed"}
        answer = await system.guarded.ask(
            "POST /refresh", headers, b'{"source": "keyed"}', token=token
        )
        if answer.status != ACCEPTED:
            raise NotHeldError(f"a caller was refused: {answer.status}")
        jobs.append(answer.json["job_id"])
    if jobs[0] == jobs[1]:
        raise NotHeldError("both callers got the same job")


async def _of_another_source(target: Target) -> None:
    headers = {"Idempotency-Key": "for-two-sources"}
    system = target.system
    bodies = (b'{"source": "keyed"}', b'{"source": "demo"}')
    answers = [await system.open.ask("POST /refresh", headers, body) for body in bodies]
    if answers[0].status != ACCEPTED or answers[1].status in {0, ACCEPTED, 500}:
        raise NotHeldError(f"they were answered {[it.status for it in answers]}")


async def _two(target: Target) -> None:
    answer = await target.ask("POST /refresh", {"Idempotency-Key": "a\r\nIdempotency-Key: b"})
    if answer.status >= 500:
        raise NotHeldError(f"it was answered {answer.status}")


def _refused(key: str) -> Act:
    async def act(target: Target) -> None:
        answer = await target.ask("POST /refresh", {"Idempotency-Key": key})
        if answer.status not in {0, 400, 422}:
            raise NotHeldError(f"it was answered {answer.status}")

    return act
