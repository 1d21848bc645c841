"""The jobs whose fetch has begun, which a refresh must not be coalesced with."""

from collections.abc import Sequence
from typing import Any, Final, Self
from uuid import UUID

from redis.asyncio import BlockingConnectionPool, Redis

from mousetrap.queue.server import answering

PREFIX: Final = "mousetrap:begun:"
"""The prefix of keys that exist from the begin of a job's fetch on."""

KEPT: Final = 3600
"""Seconds that a mark is kept: longer than any fetch and the way of its batch."""


class BegunJobs:
    """Marks and finds jobs whose fetch has begun; use it as `async with`.

    Connects when it is first used. A call takes at most `deadline` seconds, and raises
    QueueUnavailableError when the server cannot be used.
    """

    def __init__(self, redis_url: str, *, deadline: float = 3.0) -> None:
        self._deadline = deadline
        self._redis = Redis.from_pool(
            BlockingConnectionPool.from_url(
                redis_url,
                max_connections=4,
                timeout=deadline,
                socket_timeout=deadline,
                socket_connect_timeout=deadline,
            )
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._redis.aclose()

    async def mark(self, job_id: UUID) -> None:
        """Note, before its source is asked, that the fetch of a job begins."""
        async with answering(self._deadline):
            await self._redis.set(f"{PREFIX}{job_id}", "", ex=KEPT)

    async def unmark(self, job_id: UUID) -> None:
        """Note that the fetch of a job has failed: another attempt will begin later."""
        async with answering(self._deadline):
            await self._redis.delete(f"{PREFIX}{job_id}")

    async def among(self, job_ids: Sequence[UUID]) -> list[UUID]:
        """Return those of the jobs whose fetch has begun."""
        if not job_ids:
            return []
        async with answering(self._deadline):
            found: Any = await self._redis.mget([f"{PREFIX}{it}" for it in job_ids])
        return [it for it, mark in zip(job_ids, found, strict=True) if mark is not None]
