"""Messages that were given up."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from mousetrap.api.schema.fields import EXAMPLE_TIME, NextCursor, Timestamp
from mousetrap.store.dead_letters import StoredLetter


class DeadLetter(Struct, frozen=True):
    """A message that was given up."""

    id: Annotated[int, Meta(ge=1, description="in the order in which they were stored")]
    queue: Annotated[str, Meta(description="the stream", examples=["mousetrap:fetch"])]
    entry: Annotated[str, Meta(description="its entry's id", examples=["1764057600000-0"])]
    reason: Annotated[str, Meta(description="why it was given up, for people")]
    deliveries: Annotated[int, Meta(ge=0, description="how often it was handed to a worker")]
    job_id: Annotated[
        UUID | None, Meta(description="the job that it was about, if that could be told")
    ]
    buried_at: Annotated[Timestamp, Meta(description="when it was stored", examples=[EXAMPLE_TIME])]
    size: Annotated[int, Meta(ge=0, description="the bytes of the message")]
    body: Annotated[
        bytes,
        Meta(description="the message, at most its first 64 KiB, in base64", examples=["e30="]),
    ]

    @classmethod
    def of(cls, stored: StoredLetter) -> "DeadLetter":
        """Return a stored letter as it is shown."""
        letter = stored.letter
        return cls(
            id=stored.id,
            queue=letter.queue,
            entry=letter.id,
            reason=letter.reason,
            deliveries=letter.deliveries,
            job_id=letter.job_id,
            buried_at=stored.buried_at,
            size=letter.size,
            body=letter.body,
        )


class DeadLetterPage(Struct, frozen=True):
    """Dead letters, the newest first."""

    items: list[DeadLetter]
    next: NextCursor
