"""Dead letters."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from mousetrap.api.schema.fields import EXAMPLE_TIME, NextCursor, Timestamp
from mousetrap.store.dead_letters import StoredLetter


class DeadLetter(Struct, frozen=True):
    """A message that no worker could process."""

    id: Annotated[int, Meta(ge=1, description="in the order in which they were stored")]
    queue: Annotated[str, Meta(description="the stream", examples=["mousetrap:fetch"])]
    entry: Annotated[str, Meta(description="the id of its entry", examples=["1764057600000-0"])]
    reason: Annotated[str, Meta(description="the reason, for people")]
    deliveries: Annotated[int, Meta(ge=0, description="the number of deliveries to workers")]
    job_id: Annotated[UUID | None, Meta(description="the job of the message; null if unknown")]
    buried_at: Annotated[Timestamp, Meta(description="when it was stored", examples=[EXAMPLE_TIME])]
    size: Annotated[int, Meta(ge=0, description="the size of the message in bytes")]
    body: Annotated[
        bytes,
        Meta(description="the message, at most its first 64 KiB, in base64", examples=["e30="]),
    ]

    @classmethod
    def of(cls, stored: StoredLetter) -> "DeadLetter":
        """Return the body of a stored letter."""
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
