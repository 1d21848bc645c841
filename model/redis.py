"""The faults of Redis; those of processes are among the steps of the processes."""

from typing import Final

from model import streams
from model.protocol import KINDS, Kind
from model.state import NO_GROUP, Entry, State, Stream
from model.step import Step, Steps

ACTOR: Final = "Redis"


def steps(state: State) -> Steps:
    """Yield the faults that may befall the data of Redis."""
    if state.fetch.entries or state.process.entries:
        yield _flush(state)
    for kind in KINDS:
        for entry in streams.of(state, kind).entries:
            yield _lose(state, kind, entry)
            yield _repeat(state, kind, entry)


def _flush(state: State) -> Step:
    """Everything is gone, the groups and the index as well."""
    for entry in (*state.fetch.entries, *state.process.entries):
        state = streams.lose(state, entry.attempt)
    empty = Stream((), NO_GROUP)
    flushed = state._replace(fetch=empty, process=empty, waiting=())
    return Step(ACTOR, "loses everything", flushed, fault=True)


def _lose(state: State, kind: Kind, entry: Entry) -> Step:
    stream = streams.of(state, kind)
    entries = tuple(it for it in stream.entries if it is not entry)
    lost = streams.lose(state, entry.attempt)
    lost = streams.put(lost, kind, stream._replace(entries=entries))
    return Step(ACTOR, "loses a message", lost, fault=True, detail=entry.kind)


def _repeat(state: State, kind: Kind, entry: Entry) -> Step:
    """Another copy comes after all others, as when a fail-over forgets an acknowledgement."""
    stream = streams.of(state, kind)
    copy = Entry(streams.next_id(state), entry.kind, entry.attempt)
    repeated = streams.put(state, kind, stream._replace(entries=(*stream.entries, copy)))
    return Step(ACTOR, "delivers a message twice", repeated, fault=True, detail=entry.kind)
