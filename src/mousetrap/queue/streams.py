"""The streams: which message travels on which, and what they are called in Redis."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from mousetrap.messages import codec
from mousetrap.messages.schema import FetchOutcome, FetchRequested, Message


@dataclass(frozen=True, slots=True)
class Stream[M]:
    """A queue of one kind of work.

    `key` is its name in Redis, `task` the name of the work in every entry, and `read` makes a
    message of the JSON of an entry's payload, or raises MessageError or what msgspec does. With the
    messages of the `last` stream their attempts come to an end.
    """

    key: str
    task: str
    read: Callable[[msgspec.Raw], M]
    last: bool = False


FETCH: Final[Stream[FetchRequested]] = Stream(
    "mousetrap:fetch", "mousetrap.fetch", codec.decode_request
)
PROCESS: Final[Stream[FetchOutcome]] = Stream(
    "mousetrap:process", "mousetrap.process", codec.decode_outcome, last=True
)

DEAD: Final = "mousetrap:dead"
"""The stream of messages that were given up, for people to look at; bounded."""

WAITING: Final = "mousetrap:waiting"
"""The attempts of which a message is in a stream, by the time of their newest entry."""

GROUP: Final = "workers"
"""The consumer group of every stream: its members share the work."""

HANDED_BACK: Final = "handed-back"
"""The consumer that holds what was handed back, so that those who left leave no name behind."""

DATA: Final = b"data"
"""The field of an entry that holds the message."""


def attempt_of(message: Message) -> str:
    """Return what the attempt that a message belongs to is called in Redis."""
    return attempt_name(message.job_id, message.attempt)


def attempt_name(job_id: UUID, number: int) -> str:
    """Return what an attempt of a job is called in Redis."""
    # str() of a UUID takes four times as long.
    return f"{msgspec.to_builtins(job_id)}/{number}"


def route(message: Message) -> Stream[Any]:
    """Return the stream that a message travels on."""
    return FETCH if isinstance(message, FetchRequested) else PROCESS
