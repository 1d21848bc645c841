"""The fetch worker: sends on what its source says, then acknowledges the request."""

from typing import Final

from model import streams, workers
from model.protocol import Protocol
from model.state import BATCH, FAILURE, UNDELIVERABLE, WORK, State, Worker, bit
from model.step import Step, Steps, broken, tried

ACTOR: Final = workers.ACTORS["fetch"]
TWICE: Final = "a source was asked twice for an attempt, although nothing had gone wrong"


def steps(state: State, protocol: Protocol) -> Steps:
    """Yield the steps of the fetch workers."""
    yield from workers.steps(state, protocol, "fetch")
    for index, worker in enumerate(state.fetchers):
        if worker.step != WORK:
            continue
        if workers.is_killed(protocol, "fetch", worker):
            yield workers.die(state, "fetch", index, fault=False)
        elif worker.kind == UNDELIVERABLE:
            yield from _send(state, protocol, index, UNDELIVERABLE)
        else:
            asked = _ask(state, worker)
            for outcome in (BATCH, FAILURE):
                yield from _send(asked, protocol, index, outcome)


def _ask(state: State, worker: Worker) -> State:
    if state.memory.tried & bit(worker.attempt) and not state.faults:
        state = broken(state, TWICE)
    return tried(state, worker.attempt)


def _send(state: State, protocol: Protocol, index: int, outcome: str) -> Steps:
    worker = state.fetchers[index]
    sent = streams.send(state, protocol, "process", outcome, worker.attempt)
    left = workers.after(protocol, "fetch", worker)
    there = workers.at(sent, "fetch", index, left)
    yield Step(ACTOR, "sends an outcome", there, detail=outcome)
    yield Step(ACTOR, "does not hear that an outcome is sent", sent, fault=True, detail=outcome)
