"""The promises that every state has to keep."""

from typing import Final

from model.protocol import Protocol
from model.state import IDLE, QUEUED, SUCCEEDED, Row, State

NO_JOB: Final = "a request was answered with 202, and there is no job"
TWO_JOBS: Final = "one idempotency key has two jobs"
TWO_ENDS: Final = "a round of a job ended twice"
HALF_AN_END: Final = "a summary without a success, or a success without a summary"
EARLIER_ROUND: Final = "a batch of an earlier round ended a later one"
TOO_MANY: Final = "a round had more attempts than it may have"

ENDLESS: Final = "a job never ends, although nothing goes wrong any more"
LEFT_BEHIND: Final = "a message stays in its stream for ever"
STUCK: Final = "a process is stuck for ever"


def broken(state: State, protocol: Protocol) -> str:
    """Return the promise that a state, or the step to it, breaks; "" if none is broken."""
    if state.memory.broken:
        return state.memory.broken
    if state.answered and state.row is None:
        return NO_JOB
    if state.rows > 1:
        return TWO_JOBS
    return _of_row(state.row, protocol) if state.row else ""


def _of_row(row: Row, protocol: Protocol) -> str:
    if row.ends != (row.state != QUEUED):
        return TWO_ENDS
    if (row.summary != 0) != (row.state == SUCCEEDED):
        return HALF_AN_END
    if row.summary and row.summary <= row.before:
        return EARLIER_ROUND
    return TOO_MANY if row.attempts - row.before > protocol.attempts else ""


def unkept(state: State) -> str:
    """Return the promise that a state breaks after which nothing happens without a fault."""
    if state.row is not None and state.row.state == QUEUED:
        return ENDLESS
    if state.fetch.entries or state.process.entries:
        return LEFT_BEHIND
    senders, workers = (*state.apis, *state.reconcilers), (*state.fetchers, *state.processors)
    steps = [*(it.step for it in senders), *(it.step for it in workers)]
    return STUCK if any(step != IDLE for step in steps) else ""
