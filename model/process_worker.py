"""The process worker: stores an outcome, then acknowledges it."""

from typing import Final

from model import job, mechanisms, workers
from model.protocol import Protocol
from model.state import BATCH, CHECKED, STORE, WORK, Row, State, Worker
from model.step import Step, Steps

ACTOR: Final = workers.ACTORS["process"]


def steps(state: State, protocol: Protocol) -> Steps:
    """Yield the steps of the process workers."""
    yield from workers.steps(state, protocol, "process")
    yield from effects(state, protocol)


def effects(state: State, protocol: Protocol) -> Steps:
    """Yield the steps that store outcomes. A message of a job without a row does not come here."""
    for index, worker in enumerate(state.processors):
        if worker.step in {WORK, CHECKED, STORE}:
            yield from effect(state, protocol, index)


def effect(state: State, protocol: Protocol, index: int) -> Steps:
    """Yield the steps of a process worker that has an outcome to store."""
    worker, row = state.processors[index], state.row
    if row is None:
        return
    if workers.is_killed(protocol, "process", worker):
        yield workers.die(state, "process", index, fault=False)
    elif worker.step == WORK and worker.kind != BATCH:
        yield _judge(state, protocol, index, row)
    elif not job.is_locked(state, protocol):
        store = _succeed if worker.kind == BATCH else _fail
        yield from store(state, protocol, index, row)


def _succeed(state: State, protocol: Protocol, index: int, row: Row) -> Steps:
    worker = state.processors[index]
    if worker.step == WORK and not job.is_endable(row, protocol):
        yield from _heard(state, protocol, index, "finds that a success is late")
    elif worker.step == WORK and not protocol.has(mechanisms.LOCK_OF_SUCCESS):
        checked = worker._replace(step=CHECKED)
        yield Step(ACTOR, "checks the row", workers.at(state, "process", index, checked))
    elif not row.summary and not protocol.has(mechanisms.ONE_TRANSACTION):
        summarised = state._replace(row=row._replace(summary=worker.attempt))
        yield Step(ACTOR, "stores the summary alone", summarised)
    else:
        stored = job.succeed(state, protocol, row, worker.attempt)
        yield from _heard(stored, protocol, index, "stores a success")


def _judge(state: State, protocol: Protocol, index: int, row: Row) -> Step:
    worker = state.processors[index]
    if found := job.verdict(protocol, row, worker.kind, worker.attempt):
        judged = worker._replace(step=STORE, newest=row.attempts, ends=found == "end")
        return Step(ACTOR, "judges a failure", workers.at(state, "process", index, judged))
    left = _stored(protocol, worker)
    return Step(ACTOR, "finds that a failure is late", workers.at(state, "process", index, left))


def _fail(state: State, protocol: Protocol, index: int, row: Row) -> Steps:
    worker = state.processors[index]
    if job.is_as_judged(row, worker.newest, protocol):
        state = job.fail(state, row, end=worker.ends)
    yield from _heard(state, protocol, index, "stores a failure")


def _heard(state: State, protocol: Protocol, index: int, action: str) -> Steps:
    """Yield the step with its effect, and the one of which the worker does not hear."""
    worker = state.processors[index]
    left = _stored(protocol, worker)
    yield Step(ACTOR, action, workers.at(state, "process", index, left))
    again = workers.at(state, "process", index, _unstored(worker))
    yield Step(ACTOR, "does not hear that it has stored an outcome", again, fault=True)


def _stored(protocol: Protocol, worker: Worker) -> Worker:
    return workers.after(protocol, "process", _unstored(worker))


def _unstored(worker: Worker) -> Worker:
    return worker._replace(step=WORK, newest=0, ends=False)
