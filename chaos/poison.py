"""Entries that no worker can handle."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from chaos.cells import Kind
from mousetrap.queue.stages import FETCH, PROCESS, Stage

STREAMS: Final[dict[Kind, Stage[Any]]] = {Kind.FETCH: FETCH, Kind.PROCESS: PROCESS}
SIZES: Final = (1_000_000, 5_000_000)


@dataclass(frozen=True, slots=True)
class Poison:
    """An entry of a stream; its `marker`, the id of no job, is in the dead letter."""

    marker: str
    fields: dict[str, str]


def entries(kind: Kind, rng: random.Random) -> Iterator[Poison]:
    """Yield one poison of each sort for the workers of a kind."""
    stream = STREAMS[kind]

    def marker() -> str:
        return str(UUID(int=rng.getrandbits(128), version=4))

    it = marker()
    yield Poison(it, {"data": f"{{not JSON {it}"})
    it = marker()
    yield Poison(it, {"note": it})
    it = marker()
    yield Poison(it, {"data": _envelope("mousetrap.nonsense", _message(kind, it))})
    it = marker()
    yield Poison(it, {"data": _envelope(stream.task, _message(kind, it) | {"version": 99})})
    it = marker()
    yield Poison(
        it, {"data": _envelope(stream.task, {"type": it, "more": "x" * rng.randint(*SIZES)})}
    )
    it = marker()
    yield Poison(it, {"data": _envelope(stream.task, _message(kind, it))})  # of no job


def _envelope(task: str, message: dict[str, Any]) -> str:
    return json.dumps(
        {"task_id": "chaos", "task_name": task, "labels": {}, "args": [message], "kwargs": {}}
    )


def _message(kind: Kind, job_id: str) -> dict[str, Any]:
    if kind is Kind.FETCH:
        return {"type": "fetch-requested", "job_id": job_id, "source": "place"}
    return {
        "type": "fetch-failed",
        "job_id": job_id,
        "failed_at": "2026-11-25T12:00:00Z",
        "code": "chaos",
        "detail": "an outcome of no job",
        "retryable": False,
    }
