"""The queues between the processes."""

from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from mousetrap.queue.stages import STAGES

if TYPE_CHECKING:
    QueueName = str
else:
    QueueName = Literal[tuple(stage.name for stage in STAGES)]


class QueueStatus(Struct, frozen=True):
    """A queue between two of the processes."""

    name: Annotated[
        QueueName,
        Meta(description="whose messages it holds: those of the fetch workers, for example"),
    ]
    messages: Annotated[
        int, Meta(ge=0, description="those that are not done, in hand ones included", examples=[3])
    ]
    oldest_seconds: Annotated[
        float | None,
        Meta(description="how long ago the first of them was sent; null without one", examples=[1]),
    ]
    workers: Annotated[int, Meta(ge=0, description="those that gave a sign of life", examples=[2])]


class QueueList(Struct, frozen=True):
    """The queues, in the order in which a job passes them."""

    items: list[QueueStatus]
