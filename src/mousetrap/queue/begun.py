"""The jobs whose fetch has begun, which a refresh must not be coalesced with."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from mousetrap.queue.breaker import Breaker
from mousetrap.queue.server import DEADLINE, Answering, Client
from mousetrap.queue.streams import attempt_name

PREFIX: Final = "mousetrap:begun:"
"""The prefix of keys that exist from the begin of the fetch of an attempt on."""

KEPT: Final = 3600
"""Seconds that a mark is kept: longer than any fetch and the way of its batch."""


class BegunJobs(Client):
    """Marks and finds jobs whose fetch has begun; the `breaker` may be shared."""

    def __init__(
        self, redis_url: str, *, deadline: float = DEADLINE, breaker: Breaker | None = None
    ) -> None:
        super().__init__(redis_url, deadline=deadline)
        self._breaker = breaker or Breaker(deadline)

    async def mark(self, job_id: UUID, attempt: int) -> None:
        """Record, before its source is asked, that the fetch of an attempt begins.

        The mark stays when the fetch fails: another delivery of the attempt may be under way, whose
        batch would end the job.
        """
        async with Answering(self._deadline):
            await self._redis.set(_key(job_id, attempt), "", ex=KEPT)

    async def among(self, attempts: Mapping[UUID, Sequence[int]]) -> list[UUID]:
        """Return those of the jobs of which one of the given attempts has begun."""
        asked = [(job_id, number) for job_id, numbers in attempts.items() for number in numbers]
        if not asked:
            return []
        self._breaker.admit()
        async with self._breaker.call(), self._redis.pipeline(transaction=False) as steps:
            for it in asked:
                steps.exists(_key(*it))  # not MGET: its maker decides how large a value is
            found: Any = await steps.execute()
        marked = (job_id for (job_id, _), there in zip(asked, found, strict=True) if there)
        return list(dict.fromkeys(marked))


def _key(job_id: UUID, attempt: int) -> str:
    return f"{PREFIX}{attempt_name(job_id, attempt)}"
