"""The reconciler: looks at a queued job, decides in a transaction, and sends after it."""

from typing import Final

from model import job, mechanisms, streams
from model.protocol import Protocol
from model.state import (
    COMMIT,
    COMMIT_END,
    COMMIT_SENT,
    IDLE,
    QUEUED,
    SEND,
    TAKE_BACK,
    Row,
    Sender,
    State,
    bit,
    replaced,
)
from model.step import Step, Steps, broken, dies

ACTOR: Final = "reconciler"
NOT_LOST: Final = "an attempt was called lost, although no fault had taken its message"


def steps(state: State, protocol: Protocol) -> Steps:
    """Yield the steps of the reconcilers."""
    row = state.row
    if row is None:
        return
    for index, it in enumerate(state.reconcilers):
        if it.step == IDLE:
            yield from _look(state, protocol, index, row)
            continue
        if it.step == TAKE_BACK:
            taken = job.take_back(state, row, it.attempt, protocol)
            yield Step(ACTOR, "takes back what was not sent", _at(taken, index))
        elif it.step == SEND:
            yield from _send(state, protocol, index, it)
        else:
            yield from _commit(state, protocol, index, row)
        # A transaction that is open is rolled back; a message that was to be sent is not sent.
        left = streams.lose(state, it.attempt) if it.step in {SEND, TAKE_BACK} else state
        yield dies(ACTOR, it.step, _at(left, index))


def _look(state: State, protocol: Protocol, index: int, row: Row) -> Steps:
    if row.state != QUEUED or not protocol.has(mechanisms.RECONCILER):
        return
    if job.is_locked(state, protocol):
        return
    if not row.sent:
        sending = _at(state, index, Sender(COMMIT, row.attempts))
        yield Step(ACTOR, "finds a job whose delay is over", sending)
        return
    looked, waits = streams.look(state, protocol, row.attempts)
    if waits:
        # It is looked at later again; nothing else changes.
        yield Step(ACTOR, "leaves a job alone that waits", looked)
        return
    early = _is_about_to_be_sent(state, row.attempts)
    if early:
        looked = streams.lose(looked, row.attempts)
    elif not state.memory.gone & bit(row.attempts):
        looked = broken(looked, NOT_LOST)
    action = "finds a job whose sender is late" if early else "finds a job without a message"
    yield Step(ACTOR, action, _at(looked, index, _decide(row, protocol)), fault=early)


def _is_about_to_be_sent(state: State, attempt: int) -> bool:
    """Return whether a live process will send an attempt, for which it has a whole lease."""
    senders = (*state.apis, *state.reconcilers)
    return any(it.attempt == attempt and it.step in {SEND, TAKE_BACK} for it in senders)


def _decide(row: Row, protocol: Protocol) -> Sender:
    is_last = row.attempts - row.before >= protocol.attempts
    if is_last and protocol.has(mechanisms.LAST_ATTEMPT):
        return Sender(COMMIT_END, row.attempts)
    return Sender(COMMIT, row.attempts + protocol.has(mechanisms.COUNTING))


def _commit(state: State, protocol: Protocol, index: int, row: Row) -> Steps:
    it = state.reconcilers[index]
    if it.step == COMMIT_END:
        yield Step(ACTOR, "commits the end", _at(job.give_up(state, row), index))
    elif it.step == COMMIT and not protocol.has(mechanisms.COMMIT_BEFORE_SENDING):
        sent = streams.dispatch(state, protocol, it.attempt)
        yield Step(ACTOR, "sends again", _at(sent, index, it._replace(step=COMMIT_SENT)))
    else:
        left = Sender() if it.step == COMMIT_SENT else it._replace(step=SEND)
        committed = job.send(state, row, it.attempt)
        yield Step(ACTOR, "commits the attempt", _at(committed, index, left))


def _send(state: State, protocol: Protocol, index: int, it: Sender) -> Steps:
    sent = streams.dispatch(state, protocol, it.attempt)
    yield Step(ACTOR, "sends again", _at(sent, index))
    back = it._replace(step=TAKE_BACK)
    yield Step(ACTOR, "cannot send", _at(state, index, back), fault=True)
    yield Step(ACTOR, "does not hear that it has sent", _at(sent, index, back), fault=True)


def _at(state: State, index: int, it: Sender = Sender()) -> State:  # noqa: B008 - immutable
    return state._replace(reconcilers=replaced(state.reconcilers, index, it))
