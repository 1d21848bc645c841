"""A state of the whole system, as far as one job is concerned."""

from typing import Final, NamedTuple

QUEUED: Final = "queued"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"

NEW: Final = "new"
HELD: Final = "held"
SILENT: Final = "silent"
"""The holder of an entry: nobody yet, a worker that gives signs of life, or one that gives none."""

REQUEST: Final = "request"
BATCH: Final = "batch"
FAILURE: Final = "failure"
FINAL: Final = "final failure"
UNDELIVERABLE: Final = "undeliverable"
"""The content of a message. An undeliverable one is a failure without the number of its attempt."""

IDLE: Final = "idle"
INSERT: Final = "insert"
SEND: Final = "send"
WORK: Final = "work"
CHECKED: Final = "end the job that it has checked"
STORE: Final = "store"
DONE: Final = "acknowledge"
COMMIT: Final = "commit"
COMMIT_SENT: Final = "commit after sending"
COMMIT_END: Final = "commit the end"
TAKE_BACK: Final = "take back"
"""The next step of a process."""

IN_TRANSACTION: Final = frozenset({COMMIT, COMMIT_SENT, COMMIT_END})
"""The steps of a reconciler that has a transaction open."""

NO_GROUP: Final = -1


class Row(NamedTuple):
    """The job's row: `before` are the attempts of the rounds before.

    `summary` is the attempt that its summary is of, 0 without one. `ends` counts how often this
    round has ended.
    """

    state: str = QUEUED
    attempts: int = 1
    before: int = 0
    sent: bool = True
    summary: int = 0
    ends: int = 0


class Entry(NamedTuple):
    """An entry of a stream: its message is of an attempt."""

    id: int
    kind: str
    attempt: int
    holder: str = NEW
    deliveries: int = 0


class Stream(NamedTuple):
    """A stream in the order of ids, and the id up to which its group has delivered."""

    entries: tuple[Entry, ...] = ()
    delivered: int = NO_GROUP


class Sender(NamedTuple):
    """An API process or a reconciler: the next step of the call or round that it is in."""

    step: str = IDLE
    attempt: int = 0


class Worker(NamedTuple):
    """A worker and the message in its hand; `owns` says whether the lease is still its own.

    A process worker that has judged a failure knows the `newest` attempt that it has judged it by,
    and whether the job `ends` with it.
    """

    step: str = IDLE
    entry: int = 0
    kind: str = ""
    attempt: int = 0
    owns: bool = False
    newest: int = 0
    ends: bool = False


class Memory(NamedTuple):
    """The past of the newest attempt, as far as a promise is about it. Attempts are bits.

    `gone` are attempts whose message a fault has taken away or held back, `tried` those that had
    their chance, and `sent` those whose message was sent and not taken back. `broken` is the
    promise that was broken, if any.
    """

    gone: int = 0
    tried: int = 0
    sent: int = 0
    broken: str = ""


class State(NamedTuple):
    """Two replicas of each process, the row, the queue, and what is left of the bounds.

    `rows` counts the rows of the one request, of which `requests` are still to be made with the
    same key; `answered` is whether one was answered with 202. `waiting` are the attempts in the
    index, with the ids of their newest entries.
    """

    row: Row | None = None
    rows: int = 0
    answered: bool = False
    requests: int = 1
    retries: int = 0
    faults: int = 0
    apis: tuple[Sender, ...] = (Sender(), Sender())
    reconcilers: tuple[Sender, ...] = (Sender(), Sender())
    fetchers: tuple[Worker, ...] = (Worker(), Worker())
    processors: tuple[Worker, ...] = (Worker(), Worker())
    fetch: Stream = Stream(delivered=0)
    process: Stream = Stream(delivered=0)
    waiting: tuple[tuple[int, int], ...] = ()
    memory: Memory = Memory()


def bit(attempt: int) -> int:
    """Return the bit of an attempt in a set of them."""
    return 1 << attempt


def replaced[T](items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    """Return items with another one at an index."""
    return (*items[:index], item, *items[index + 1 :])


def canonical(state: State) -> State:
    """Return the one state that stands for all that differ in names only.

    Replicas of a kind are alike. Of attempts before the newest one nobody asks any more. Ids of
    entries are compared within their stream, and with the score of the newest attempt.
    """
    newest = state.row.attempts if state.row else 0
    waiting = tuple(it for it in state.waiting if it[0] >= newest)
    fetch, process = _renamed(state.fetch, waiting), _renamed(state.process, waiting)
    mask, memory = -1 << newest, state.memory
    return state._replace(
        apis=tuple(sorted(state.apis)),
        reconcilers=tuple(sorted(state.reconcilers)),
        fetchers=_workers(state.fetchers, fetch),
        processors=_workers(state.processors, process),
        fetch=_stream(state.fetch, fetch),
        process=_stream(state.process, process),
        waiting=tuple((attempt, SCORE) for attempt, _ in waiting),
        memory=Memory(memory.gone & mask, memory.tried & mask, memory.sent & mask, memory.broken),
    )


def canonical_of_hostile(state: State) -> State:
    """Return the same without streams, and with all messages that were ever sent."""
    return state._replace(
        apis=tuple(sorted(state.apis)),
        reconcilers=tuple(sorted(state.reconcilers)),
        processors=tuple(sorted(state.processors)),
        memory=Memory(sent=state.memory.sent),
    )


SCORE: Final = 100
"""The score of an attempt that waits. Ids below and above it keep their order."""


def _renamed(stream: Stream, waiting: tuple[tuple[int, int], ...]) -> dict[int, int]:
    """Return new ids for those of a stream: the order is the same, also with the score."""
    score = waiting[-1][1] if waiting else 0
    names = {0: 0, NO_GROUP: NO_GROUP}
    below, above = 0, SCORE + 1
    last = SCORE + 1 if stream.delivered > score else SCORE if stream.delivered == score else 0
    for entry in stream.entries:
        if entry.id < score:
            below += 1
            name = below
        elif entry.id == score:
            name = SCORE
        else:
            above += 1
            name = above
        names[entry.id] = name
        if entry.id <= stream.delivered:
            last = max(last, name)
    names.setdefault(stream.delivered, last)
    return names


def _workers(workers: tuple[Worker, ...], names: dict[int, int]) -> tuple[Worker, ...]:
    renamed = (
        (
            it
            if not it.entry
            else (
                it._replace(entry=names[it.entry])
                if it.entry in names
                else it._replace(entry=0, owns=False)
            )
        )
        for it in workers
    )
    return tuple(sorted(renamed))


def _stream(stream: Stream, names: dict[int, int]) -> Stream:
    entries = tuple(entry._replace(id=names[entry.id]) for entry in stream.entries)
    return Stream(entries, names[stream.delivered])
