"""The states and which of them may follow which."""

from itertools import product

import pytest

from mousetrap.jobs.state import SUCCESSORS, State, predecessors


def test_the_states_have_the_names_that_are_stored_and_shown() -> None:
    assert [str(state) for state in State] == ["queued", "succeeded", "failed"]


def test_a_queued_job_succeeds_or_fails_and_a_failed_one_may_be_retried() -> None:
    assert {
        State.QUEUED: {State.SUCCEEDED, State.FAILED},
        State.SUCCEEDED: set(),
        State.FAILED: {State.QUEUED},
    } == SUCCESSORS


@pytest.mark.parametrize(("before", "after"), list(product(State, State)))
def test_predecessors_and_successors_agree(before: State, after: State) -> None:
    assert (before in predecessors(after)) == (after in SUCCESSORS[before])


def test_nothing_follows_success() -> None:
    assert SUCCESSORS[State.SUCCEEDED] == frozenset()


def test_the_rules_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        SUCCESSORS[State.FAILED] = frozenset({State.QUEUED})  # type: ignore[index]  # on purpose
