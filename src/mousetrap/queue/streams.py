"""Names in Redis that all streams share."""

from typing import Final
from uuid import UUID

import msgspec

from mousetrap.messages.schema import Message, SummaryStored

DEAD: Final = "mousetrap:dead"
"""The stream of messages that were given up, for people to look at; bounded."""

MAX_DEAD_BYTES: Final = 64 * 1024
"""The most bytes of a message that a dead letter keeps."""

WAITING: Final = "mousetrap:waiting"
"""The attempts of jobs of which a message is in a stream, by the time of their newest entry.

Each stage that follows summaries has a set of its own, under this name and the stage's.
"""

GROUP: Final = "workers"
"""The consumer group of every stream: its members share the work."""

HANDED_BACK: Final = "handed-back"
"""The consumer that holds what was handed back, so that those who left leave no name behind."""

DATA: Final = b"data"
"""The field of an entry that holds the message."""


def attempt_of(message: Message) -> str:
    """Return the name of the attempt of a message in Redis."""
    stage = message.stage if isinstance(message, SummaryStored) else None
    return attempt_name(message.job_id, message.attempt, stage)


def attempt_name(job_id: UUID, number: int, stage: str | None = None) -> str:
    """Return the name of an attempt in Redis, of a job or of a stage that follows it."""
    # faster than str() of a UUID
    job = msgspec.to_builtins(job_id)
    return f"{job}/{number}" if stage is None else f"{job}/{stage}/{number}"
