"""Inspects the streams without consuming: depths, waiting attempts, dead letters."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from redis.exceptions import NoPermissionError

from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.queue import scripts
from mousetrap.queue.server import Answering, Client
from mousetrap.queue.stages import STAGES, Stage
from mousetrap.queue.streams import (
    DEAD,
    GROUP,
    HANDED_BACK,
    MAX_DEAD_BYTES,
    WAITING,
    attempt_name,
)
from mousetrap.telemetry import logs

KEYS: Final = (WAITING, *(it.key for it in STAGES if not it.follows_summary))
MAX_TEXT: Final = 1000
"""The most bytes of a text in a dead letter."""
MAX_KEY: Final = 200
"""The most characters of its queue and of its entry, which the database indexes."""
MAX_DELIVERIES: Final = 2**31 - 1
MAX_SIZE: Final = 2**63 - 1
STREAMS: Final = {it.name: it.key for it in STAGES}


log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """The `number`-th attempt of a job, or of a stage that follows it."""

    job_id: UUID
    number: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """The number of messages in all streams, and the attempts that wait in one of them."""

    messages: int
    waiting: frozenset[Attempt]


@dataclass(frozen=True, slots=True)
class Depth:
    """The depth of the queue `name`, and the number of its workers.

    `messages` counts those that are not done, including those in hand; `oldest` is how many seconds
    ago the first of them was sent, None if there is none.
    """

    name: str
    messages: int
    oldest: float | None
    workers: int


class Inspector(Client):
    """Reads the streams without consuming."""

    CONNECTIONS = 2

    async def look_for(
        self, attempts: Collection[Attempt], stage: Stage[Any] | None = None
    ) -> Backlog:
        """Return which of the attempts have a message in a stream of the pipeline.

        With a `stage` that follows summaries, they are its attempts, and the stream is its own.

        May report a lost attempt as waiting until older messages are gone; never reports a waiting
        attempt as lost.
        """
        asked = list(attempts)
        keys, name = (KEYS, None) if stage is None else ((stage.waiting, stage.key), stage.name)
        names = (attempt_name(it.job_id, it.number, name) for it in asked)
        async with Answering(self._deadline):
            messages, *waits = await scripts.LOOK.run(self._redis, keys, GROUP, *names)
        waiting = (attempt for attempt, it in zip(asked, waits, strict=True) if it)
        return Backlog(messages, frozenset(waiting))

    async def depths(self, *, silence: float) -> Sequence[Depth]:
        """Return the depth of each queue; workers silent for `silence` seconds do not count.

        An idle worker asks for work every second; a busy worker extends its leases three times per
        lease.
        """
        async with Answering(self._deadline):
            found = await scripts.MEASURE.run(self._redis, list(STREAMS.values()), GROUP)
        return [_depth(name, silence, *it) for name, it in zip(STREAMS, found, strict=True)]

    async def buried(self, limit: int) -> Mapping[str, DeadLetter]:
        """Return at most `limit` dead letters, the oldest first, by the keys that `forget` takes.

        A compromised worker may add anything, so a long text is cut, an invalid number becomes 0,
        and an invalid job id becomes None.
        """
        async with Answering(self._deadline):
            try:
                found = await scripts.BURIED.run(
                    self._redis, [DEAD], limit, MAX_TEXT, MAX_DEAD_BYTES
                )
            except NoPermissionError as error:
                log.warning("dead letters wait until users.acl is updated", reason=str(error))
                return {}
        return {key.decode(): _buried(fields, length) for key, fields, length in found}

    async def forget(self, keys: Collection[str]) -> None:
        """Remove dead letters that are kept elsewhere."""
        if keys:
            async with Answering(self._deadline):
                await self._redis.xdel(DEAD, *keys)


def _depth(name: str, silence: float, messages: int, age: int | bytes, *consumers: Any) -> Depth:
    idle_ms = dict(zip(consumers[::2], consumers[1::2], strict=True))
    idle_ms.pop(HANDED_BACK.encode(), None)
    return Depth(
        name=name,
        messages=messages,
        oldest=age / 1000 if isinstance(age, int) else None,
        workers=sum(idle < silence * 1000 for idle in idle_ms.values()),
    )


def _buried(fields: list[bytes], length: int) -> DeadLetter:
    queue, entry_id, reason, deliveries, size, job_id, body = fields
    return DeadLetter(
        queue=queue.decode(errors="replace")[:MAX_KEY],
        id=entry_id.decode(errors="replace")[:MAX_KEY],
        body=body,
        reason=reason.decode(errors="replace"),
        job_id=_uuid(job_id),
        deliveries=_number(deliveries, MAX_DELIVERIES),
        size=max(_number(size, MAX_SIZE), length),
    )


def _uuid(text: bytes) -> UUID | None:
    try:
        return UUID(text.decode())
    except ValueError:
        return None


def _number(text: bytes, limit: int) -> int:
    return min(int(text), limit) if text.isdigit() else 0
