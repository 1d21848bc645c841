"""The effects of the queue's scripts on a state, each in one step."""

from typing import Final

from model import mechanisms
from model.protocol import Kind, Protocol
from model.state import (
    HELD,
    NEW,
    NO_GROUP,
    REQUEST,
    SILENT,
    Entry,
    State,
    Stream,
    Worker,
    bit,
    replaced,
)
from model.step import broken

SENT_TWICE: Final = "an attempt was sent twice, although nobody had lost an answer"


def of(state: State, kind: Kind) -> Stream:
    """Return the stream of a kind of workers."""
    return state.fetch if kind == "fetch" else state.process


def put(state: State, kind: Kind, stream: Stream) -> State:
    """Return a state with another stream."""
    return state._replace(fetch=stream) if kind == "fetch" else state._replace(process=stream)


def next_id(state: State) -> int:
    """Return an id above all others: one server's clock makes those of both streams."""
    streams = (state.fetch, state.process)
    used = [entry.id for stream in streams for entry in stream.entries]
    used += [score for _, score in state.waiting]
    return 1 + max((*used, state.fetch.delivered, state.process.delivered, 0))


def dispatch(state: State, protocol: Protocol, attempt: int) -> State:
    """Send the request of an attempt, which nobody else has, unless it was taken back."""
    memory = state.memory
    if memory.sent & bit(attempt):
        state = broken(state, SENT_TWICE)
    memory = state.memory
    state = state._replace(memory=memory._replace(sent=memory.sent | bit(attempt)))
    return state if protocol.hostile else send(state, protocol, "fetch", REQUEST, attempt)


def send(state: State, protocol: Protocol, kind: Kind, content: str, attempt: int) -> State:
    """Add a message, and record that its attempt waits."""
    made = Entry(next_id(state), content, attempt)
    stream = of(state, kind)
    state = put(state, kind, stream._replace(entries=(*stream.entries, made)))
    if not protocol.has(mechanisms.INDEX):
        return state
    others = tuple(it for it in state.waiting if it[0] != attempt)
    return state._replace(waiting=(*others, (attempt, made.id)))


def read(state: State, protocol: Protocol, kind: Kind) -> tuple[State, Entry | None] | None:
    """Give the first new entry to a worker; None if there is none.

    A group that is gone is made first, and then read from in another step.
    """
    stream = of(state, kind)
    if stream.delivered == NO_GROUP:
        last = max((entry.id for entry in stream.entries), default=0)
        start = 0 if protocol.has(mechanisms.GROUP) else last
        return put(state, kind, stream._replace(delivered=start)), None
    for index, entry in enumerate(stream.entries):
        if entry.id > stream.delivered:
            taken = entry._replace(holder=HELD, deliveries=1)
            entries = replaced(stream.entries, index, taken)
            return put(state, kind, Stream(entries, entry.id)), taken
    return None


def is_pending(entry: Entry) -> bool:
    """Return whether an entry was delivered and not acknowledged."""
    return entry.holder != NEW


def claim(state: State, protocol: Protocol, kind: Kind, index: int) -> tuple[State, Entry]:
    """Give a pending entry to a worker; it counts as delivered once more."""
    stream = of(state, kind)
    entry = stream.entries[index]
    most = protocol.deliveries + 1  # more of them make no difference
    taken = entry._replace(holder=HELD, deliveries=min(entry.deliveries + 1, most))
    entries = replaced(stream.entries, index, taken)
    return put(state, kind, stream._replace(entries=entries)), taken


def silence(state: State, kind: Kind, worker: Worker) -> State:
    """Leave the entry of a worker that has died without signs of life."""
    if not worker.owns:
        return state
    stream = of(state, kind)
    entries = tuple(
        it._replace(holder=SILENT) if it.id == worker.entry and is_pending(it) else it
        for it in stream.entries
    )
    return put(state, kind, stream._replace(entries=entries))


def done(state: State, protocol: Protocol, kind: Kind, worker: Worker) -> State:
    """Remove an entry, whoever has it; with one of the last stream its attempt has ended."""
    stream = of(state, kind)
    if protocol.has(mechanisms.DELETION):
        entries = tuple(it for it in stream.entries if it.id != worker.entry)
    else:
        entries = tuple(
            it._replace(holder=NEW) if it.id == worker.entry else it for it in stream.entries
        )
    state = put(state, kind, stream._replace(entries=entries))
    if kind == "fetch":
        return state
    waiting = tuple(it for it in state.waiting if it[0] != worker.attempt)
    return state._replace(waiting=waiting)


def look(state: State, protocol: Protocol, attempt: int) -> tuple[State, bool]:
    """Forget attempts that are older than all entries; return whether this one waits."""
    waiting = state.waiting
    if protocol.has(mechanisms.PRUNING):
        floors = [_floor(it) for it in (state.fetch, state.process) if it.entries]
        waiting = tuple(it for it in waiting if floors and it[1] >= min(floors))
    return state._replace(waiting=waiting), any(it[0] == attempt for it in waiting)


def _floor(stream: Stream) -> int:
    if stream.delivered == NO_GROUP:
        return 0
    return min((stream.delivered, *(it.id for it in stream.entries if is_pending(it))))


def lose(state: State, attempt: int) -> State:
    """Remember that a fault has taken the message of an attempt, or kept it from being sent."""
    memory = state.memory
    return state._replace(memory=memory._replace(gone=memory.gone | bit(attempt)))
