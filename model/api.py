"""The API: accepts a request or a retry, then sends the message."""

from typing import Final

from model import job, mechanisms, streams
from model.protocol import Protocol
from model.state import FAILED, IDLE, INSERT, SEND, Sender, State, replaced
from model.step import Step, Steps, dies

ACTOR: Final = "API"


def steps(state: State, protocol: Protocol) -> Steps:
    """Yield the steps of the API processes."""
    for index, api in enumerate(state.apis):
        if api.step == IDLE:
            yield from _begin(state, protocol, index)
            continue
        if api.step == INSERT:
            yield from _insert(state, protocol, index)
        else:
            yield from _send(state, protocol, index, api.attempt)
        unsent = state if api.step == INSERT else streams.lose(state, api.attempt)
        yield dies(ACTOR, api.step, _at(unsent, index))


def _begin(state: State, protocol: Protocol, index: int) -> Steps:
    commits_first = protocol.has(mechanisms.COMMIT_BEFORE_ANSWER)
    # A caller repeats a request until it is answered.
    if state.requests and not (state.answered and commits_first):
        answered = state.answered or not commits_first
        asked = state._replace(requests=state.requests - 1, answered=answered)
        yield Step(ACTOR, "gets a request", _at(asked, index, Sender(INSERT)))
    if state.retries and state.row and state.row.state == FAILED:
        requeued = job.requeue(state, state.row)
        retrying = Sender(SEND, state.row.attempts + 1)
        yield Step(ACTOR, "commits a retry", _at(requeued, index, retrying))


def _insert(state: State, protocol: Protocol, index: int) -> Steps:
    stored, created = job.insert(state, protocol)
    if not created:
        yield Step(ACTOR, "finds the job of the key", _at(stored._replace(answered=True), index))
        return
    yield Step(ACTOR, "commits the job", _at(stored, index, Sender(SEND, 1)))
    # The caller is told that this is not known.
    unknown = _at(streams.lose(stored, 1), index)
    yield Step(ACTOR, "does not hear that the job is committed", unknown, fault=True)


def _send(state: State, protocol: Protocol, index: int, attempt: int) -> Steps:
    answered = _at(state._replace(answered=True), index)
    sent = streams.dispatch(answered, protocol, attempt)
    yield Step(ACTOR, "sends the request, and answers", sent)
    unsent = streams.lose(answered, attempt)
    yield Step(ACTOR, "cannot send, and answers all the same", unsent, fault=True)


def _at(state: State, index: int, api: Sender = Sender()) -> State:  # noqa: B008 - immutable
    return state._replace(apis=replaced(state.apis, index, api))
