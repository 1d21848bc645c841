"""The queues between the processes."""

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from mousetrap.queue.stages import STAGES

if TYPE_CHECKING:
    QueueName = str
else:
    QueueName = Literal[tuple(stage.name for stage in STAGES)]


class QueueStatus(Struct, frozen=True):
    """A queue between two processes."""

    name: Annotated[
        QueueName,
        Meta(description="the queue of a stage, such as `fetch` for the fetch workers"),
    ]
    messages: Annotated[
        int,
        Meta(ge=0, description="messages not yet done or in flight", examples=[3]),
    ]
    oldest_seconds: Annotated[
        float | None,
        Meta(description="the age of the oldest message; null when it is empty", examples=[1]),
    ]
    workers: Annotated[int, Meta(ge=0, description="the number of active workers", examples=[2])]


class QueueList(Struct, frozen=True):
    """The queues, in the order of a job's stages."""

    items: list[QueueStatus]
