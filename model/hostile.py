"""The process workers at a queue without any promise: what was sent may come at any time."""

from typing import Final

from model import process_worker, workers
from model.protocol import Protocol
from model.state import (
    BATCH,
    CHECKED,
    FAILURE,
    FINAL,
    IDLE,
    STORE,
    UNDELIVERABLE,
    WORK,
    State,
    Worker,
    bit,
)
from model.step import Steps, dies

OUTCOMES: Final = (BATCH, FAILURE, FINAL, UNDELIVERABLE)
"""Outcomes that fetch workers may have made of a request, each of them many times."""


def steps(state: State, protocol: Protocol) -> Steps:
    """Yield the steps of process workers.

    There are no steps that take a message and acknowledge it, since it comes again anyway.
    """
    for index, worker in enumerate(state.processors):
        if worker.step != IDLE:
            yield from _effects(state, protocol, index)
            dead = workers.at(state, "process", index, Worker())
            yield dies(process_worker.ACTOR, worker.step, dead)
            continue
        newest = state.row.attempts if state.row else 0
        for attempt in range(1, newest + 1):
            if state.memory.sent & bit(attempt):
                for outcome in OUTCOMES:
                    begun = Worker(WORK, 0, outcome, attempt)
                    taken = workers.at(state, "process", index, begun)
                    yield from _effects(taken, protocol, index)


def _effects(state: State, protocol: Protocol, index: int) -> Steps:
    """Yield the steps of a worker that has a message, which it does not keep in hand."""
    for step in process_worker.effect(state, protocol, index):
        worker = step.state.processors[index]
        if worker.step == STORE:
            worker = worker._replace(kind=FAILURE, attempt=0)
        elif worker.step != CHECKED:
            worker = Worker()
        yield step._replace(state=workers.at(step.state, "process", index, worker))
