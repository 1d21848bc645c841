"""Common to fetch and process workers: an entry in hand until it is acknowledged."""

from typing import Final

from model import mechanisms, streams
from model.protocol import Kind, Protocol
from model.state import (
    DONE,
    HELD,
    IDLE,
    UNDELIVERABLE,
    WORK,
    Entry,
    State,
    Worker,
    replaced,
)
from model.step import Step, Steps, dies, tried

ACTORS: Final[dict[Kind, str]] = {"fetch": "fetch worker", "process": "process worker"}
_EFFECT_FIRST: Final[dict[Kind, str]] = {
    "fetch": mechanisms.SEND_FIRST,
    "process": mechanisms.STORE_FIRST,
}


def of(state: State, kind: Kind) -> tuple[Worker, ...]:
    """Return the workers of a kind."""
    return state.fetchers if kind == "fetch" else state.processors


def at(state: State, kind: Kind, index: int, worker: Worker) -> State:
    """Return the state in which the worker at an index is this one."""
    workers = replaced(of(state, kind), index, worker)
    if kind == "fetch":
        return state._replace(fetchers=workers)
    return state._replace(processors=workers)


def steps(state: State, protocol: Protocol, kind: Kind) -> Steps:
    """Yield the steps that workers of both kinds take in the same way."""
    for index, worker in enumerate(of(state, kind)):
        if worker.step == IDLE:
            yield from _take(state, protocol, kind, index)
            continue
        if worker.step == DONE:
            removed = streams.done(state, protocol, kind, worker)
            left = after(protocol, kind, worker)
            yield Step(ACTORS[kind], "acknowledges", at(removed, kind, index, left))
        yield die(state, kind, index, fault=True)


def die(state: State, kind: Kind, index: int, *, fault: bool) -> Step:
    """Return the step in which a worker dies, and another one takes its place."""
    worker = of(state, kind)[index]
    silent = at(streams.silence(state, kind, worker), kind, index, Worker())
    return dies(ACTORS[kind], worker.step, silent, fault=fault)


def after(protocol: Protocol, kind: Kind, worker: Worker) -> Worker:
    """Return a worker that has done its step: the work, then the acknowledgement."""
    effect_first = protocol.has(_EFFECT_FIRST[kind]) or worker.kind == UNDELIVERABLE
    first, last = (WORK, DONE) if effect_first else (DONE, WORK)
    if worker.step == IDLE:
        return worker._replace(step=first)
    return worker._replace(step=last) if worker.step == first else Worker()


def is_killed(protocol: Protocol, kind: Kind, worker: Worker) -> bool:
    """Return whether the work on its message kills a worker."""
    return protocol.poisoned == kind and worker.kind != UNDELIVERABLE


def _take(state: State, protocol: Protocol, kind: Kind, index: int) -> Steps:
    if (taken := streams.read(state, protocol, kind)) is not None:
        read, entry = taken
        if entry is None:
            yield Step(ACTORS[kind], "makes the group", read)
        else:
            yield _begin(read, protocol, kind, index, entry, "takes a message")
    for number, entry in enumerate(streams.of(state, kind).entries):
        if not streams.is_pending(entry):
            continue
        alive = entry.holder == HELD
        if not alive and not protocol.has(mechanisms.RECLAIMING):
            continue
        robbed = _rob(state, kind, entry) if alive else state
        claimed, again = streams.claim(robbed, protocol, kind, number)
        action = "takes a message from a live worker" if alive else "takes a dead worker's message"
        begun = _begin(claimed, protocol, kind, index, again, action)
        yield begun._replace(fault=alive and protocol.has(mechanisms.LEASE))


def _begin(  # noqa: PLR0913, PLR0917 - the parts of a step
    state: State, protocol: Protocol, kind: Kind, index: int, entry: Entry, action: str
) -> Step:
    content = entry.kind
    if entry.deliveries > protocol.deliveries and protocol.has(mechanisms.LIMIT):
        content = UNDELIVERABLE
        state = tried(state, entry.attempt)
    idle = Worker(IDLE, entry.id, content, entry.attempt, owns=True)
    return Step(ACTORS[kind], action, at(state, kind, index, after(protocol, kind, idle)))


def _rob(state: State, kind: Kind, entry: Entry) -> State:
    """Take the lease of an entry from its worker, which does not know it yet."""
    for index, worker in enumerate(of(state, kind)):
        if worker.owns and worker.entry == entry.id:
            return at(state, kind, index, worker._replace(owns=False))
    return state
