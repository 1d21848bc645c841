"""Dead letters: messages that were given up."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

UNDELIVERABLE: Final = "undeliverable"
"""The code of a failure whose message was given up."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that is given up: entry `id` of the stream `queue`, with its bytes and why.

    `deliveries` counts how often it was handed to a worker; `job_id` is None if its job could not
    be told, and `attempt` the one that the message is of. `body` may be only the beginning of the
    message, which has `size` bytes; unless that is given, it is all of it.
    """

    queue: str
    id: str
    body: bytes
    reason: str
    job_id: UUID | None
    deliveries: int
    size: int = 0
    attempt: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", max(self.size, len(self.body)))
