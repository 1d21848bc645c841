"""The stages of the pipeline: the one list from which streams, users and deployments follow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mousetrap.messages import codec
from mousetrap.messages.schema import (
    BatchFetched,
    FetchFailed,
    FetchOutcome,
    FetchRequested,
    LargeBatchFetched,
    Message,
    SummaryStored,
)
from mousetrap.queue.streams import WAITING


@dataclass(frozen=True, slots=True)
class Stage[M]:
    """A stream of one kind of work, and the worker that does it.

    `read` makes a message of the JSON of an entry's payload, or raises MessageError or what msgspec
    does. `senders` are the users of Redis that may add messages, which are of the types `carries`.
    Acknowledging a message of a `last` stage ends its attempt. A stage that
    `follows_summary` gets every summary. Only a worker with `egress` reaches other networks.
    """

    name: str
    read: Callable[[msgspec.Raw], M]
    carries: tuple[type, ...] = ()
    senders: tuple[str, ...] = ()
    last: bool = False
    follows_summary: bool = False
    egress: bool = False

    @property
    def key(self) -> str:
        """The stream's name in Redis."""
        return f"mousetrap:{self.name}"

    @property
    def waiting(self) -> str:
        """The set of its waiting attempts; a following stage has its own."""
        return f"{WAITING}:{self.name}" if self.follows_summary else WAITING

    @property
    def task(self) -> str:
        """The name of the task in every entry."""
        return f"mousetrap.{self.name}"

    @property
    def worker(self) -> str:
        """The package of the worker."""
        return f"{self.name}_worker"


def following(name: str, *, egress: bool = False) -> Stage[SummaryStored]:
    """Return a stage that gets every summary, each at least once."""
    return Stage(
        name,
        codec.decode_summary,
        senders=("process",),
        last=True,
        follows_summary=True,
        egress=egress,
    )


FETCH: Final[Stage[FetchRequested]] = Stage(
    "fetch",
    codec.decode_request,
    carries=(FetchRequested,),
    senders=("api", "process"),
    egress=True,
)
PROCESS: Final[Stage[FetchOutcome]] = Stage(
    "process",
    codec.decode_outcome,
    carries=(BatchFetched, LargeBatchFetched, FetchFailed),
    senders=("fetch",),
    last=True,
)

STAGES: Final[tuple[Stage[Any], ...]] = (FETCH, PROCESS)

_NAMES: Final = {kind: stage.name for stage in STAGES for kind in stage.carries}


def name_of(message: Message) -> str:
    """Return the name of the stage that a message is for."""
    return message.stage if isinstance(message, SummaryStored) else _NAMES[type(message)]
