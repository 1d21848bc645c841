"""The effects of the store's statements on the job's row, each in one step."""

from typing import Final

from model import mechanisms
from model.protocol import Protocol
from model.state import (
    FAILED,
    FINAL,
    IN_TRANSACTION,
    QUEUED,
    SUCCEEDED,
    UNDELIVERABLE,
    Row,
    State,
    bit,
)
from model.step import broken

UNTRIED: Final = "an attempt counts as failed, although nobody had tried it"


def is_locked(state: State, protocol: Protocol) -> bool:
    """Return whether a reconciler has the row locked, in a transaction that is open."""
    locks = protocol.has(mechanisms.LOCK_OF_CLAIM)
    return locks and any(it.step in IN_TRANSACTION for it in state.reconcilers)


def insert(state: State, protocol: Protocol) -> tuple[State, bool]:
    """Insert the row of a request unless its key has one; return whether this did."""
    if state.row is None:
        return state._replace(row=Row(), rows=1), True
    if protocol.has(mechanisms.IDEMPOTENCY_KEY):
        return state, False
    return state._replace(rows=state.rows + 1), True


def requeue(state: State, row: Row) -> State:
    """Begin another round of a failed job."""
    begun = Row(attempts=row.attempts + 1, before=row.attempts)
    return state._replace(row=begun, retries=state.retries - 1)


def is_endable(row: Row, protocol: Protocol) -> bool:
    """Return whether the state of a row lets a success end it."""
    return row.state == QUEUED or not protocol.has(mechanisms.STATE_OF_SUCCESS)


def succeed(state: State, protocol: Protocol, row: Row, attempt: int) -> State:
    """End a job with the batch of an attempt of its round."""
    if attempt <= row.before and protocol.has(mechanisms.ROUND_OF_SUCCESS):
        return state
    ended = row._replace(
        state=SUCCEEDED,
        attempts=max(row.attempts, attempt),
        summary=row.summary or attempt,  # the first one stays
        ends=row.ends + 1,
    )
    return state._replace(row=ended)


def verdict(protocol: Protocol, row: Row, kind: str, attempt: int) -> str:
    """Return what follows a failed attempt: "" when it comes late, "again" or "end"."""
    late = attempt < row.attempts and protocol.has(mechanisms.NEWEST)
    if kind == UNDELIVERABLE and not protocol.has(mechanisms.NUMBERED_LETTERS):
        late = False
    if late or row.state != QUEUED:
        return ""
    is_last = row.attempts - row.before >= protocol.attempts
    return "end" if kind == FINAL or is_last else "again"


def is_as_judged(row: Row, newest: int, protocol: Protocol) -> bool:
    """Return whether a failure may be stored that was judged by the `newest` attempt."""
    if not protocol.has(mechanisms.COMPARISON):
        return True
    return row.state == QUEUED and row.attempts == newest


def fail(state: State, row: Row, *, end: bool) -> State:
    """Store a failure of the newest attempt: the end of its job, or another attempt."""
    state = _tried(state, row)
    if end:
        return _failed(state, row)
    return state._replace(row=row._replace(attempts=row.attempts + 1, sent=False))


def send(state: State, row: Row, attempt: int) -> State:
    """Record that the message of an attempt is about to be sent."""
    return state._replace(row=row._replace(attempts=attempt, sent=True))


def take_back(state: State, row: Row, attempt: int, protocol: Protocol) -> State:
    """Record that the message of an attempt was not sent, unless another is the newest by now."""
    is_newest = row.state == QUEUED and row.attempts == attempt
    if not is_newest and protocol.has(mechanisms.TAKING_BACK):
        return state
    memory = state.memory
    memory = memory._replace(sent=memory.sent & ~bit(attempt))
    return state._replace(row=row._replace(sent=False), memory=memory)


def give_up(state: State, row: Row) -> State:
    """Let a job fail whose last message is lost."""
    return _failed(_tried(state, row), row)


def _tried(state: State, row: Row) -> State:
    tried = (state.memory.tried | state.memory.gone) & bit(row.attempts)
    return state if tried else broken(state, UNTRIED)


def _failed(state: State, row: Row) -> State:
    return state._replace(row=row._replace(state=FAILED, ends=row.ends + 1))
