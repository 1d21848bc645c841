"""A job and the steps that it may take."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mousetrap.jobs.errors import JobError, TransitionError
from mousetrap.jobs.job import Failure, Job
from mousetrap.jobs.state import SUCCESSORS, State, predecessors

ID = UUID("9f3c1d52-5b1e-4c86-9d2a-0c8f5a1b7e44")
ASKED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FETCHED = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
ENDED = datetime(2026, 1, 2, 3, 4, 7, tzinfo=UTC)
TIMEOUT = Failure("timeout", "the source gave no answer within 10 s: ask its operator")

instants = st.datetimes(timezones=st.just(UTC))
failures = st.builds(Failure, code=st.text("abc", max_size=3), detail=st.text("abc", max_size=3))


def queued_job() -> Job:
    return Job(id=ID, sequence=7, source="demo", state=State.QUEUED, attempts=1, requested_at=ASKED)


def test_a_job_that_succeeds_knows_when_and_has_no_failure() -> None:
    job = queued_job().succeed(fetched_at=FETCHED, at=ENDED)

    assert job == Job(
        id=ID,
        sequence=7,
        source="demo",
        state=State.SUCCEEDED,
        attempts=1,
        requested_at=ASKED,
        fetched_at=FETCHED,
        finished_at=ENDED,
        failure=None,
    )


def test_a_job_that_fails_knows_when_and_why() -> None:
    job = queued_job().fail(TIMEOUT, at=ENDED)

    assert job == Job(
        id=ID,
        sequence=7,
        source="demo",
        state=State.FAILED,
        attempts=1,
        requested_at=ASKED,
        fetched_at=None,
        finished_at=ENDED,
        failure=TIMEOUT,
    )


@pytest.mark.parametrize(
    "ended",
    [queued_job().succeed(fetched_at=FETCHED, at=ENDED), queued_job().fail(TIMEOUT, at=ENDED)],
    ids=lambda job: str(job.state),
)
@pytest.mark.parametrize(
    ("step", "aim"),
    [
        (lambda job: job.succeed(fetched_at=FETCHED, at=ENDED), "succeeded"),
        (lambda job: job.fail(TIMEOUT, at=ENDED), "failed"),
    ],
    ids=["succeed", "fail"],
)
def test_a_refused_step_names_the_job_and_both_states(
    ended: Job, step: Callable[[Job], Job], aim: str
) -> None:
    with pytest.raises(TransitionError, match=f"job {ID} is {ended.state} and cannot become {aim}"):
        step(ended)


def test_its_errors_are_errors_of_this_library() -> None:
    assert issubclass(TransitionError, JobError)


def test_a_job_stays_as_it_was_made() -> None:
    job = queued_job()

    with pytest.raises(FrozenInstanceError):
        job.state = State.FAILED  # type: ignore[misc]  # the point of this test


class Life(RuleBasedStateMachine):
    """Any steps, in any order, any number of times."""

    def __init__(self) -> None:
        super().__init__()
        self.job = queued_job()
        self.past = [self.job]

    def take(self, step: Callable[[], Job], aim: State) -> None:
        before = self.job
        allowed = aim in SUCCESSORS[before.state]
        assert allowed == (before.state in predecessors(aim))
        if not allowed:
            with pytest.raises(TransitionError):
                step()
            return
        self.job = step()
        self.past.append(self.job)
        assert self.job.state is aim
        assert before == self.past[-2], "a step makes a new job"

    @rule(fetched_at=instants, at=instants)
    def succeed(self, fetched_at: datetime, at: datetime) -> None:
        self.take(lambda: self.job.succeed(fetched_at=fetched_at, at=at), State.SUCCEEDED)

    @rule(failure=failures, at=instants)
    def fail(self, failure: Failure, at: datetime) -> None:
        self.take(lambda: self.job.fail(failure, at=at), State.FAILED)

    @invariant()
    def ends_once_and_for_all(self) -> None:
        endings = [job for job in self.past if job.state is not State.QUEUED]
        assert len(endings) <= 1
        assert endings in ([], [self.job])

    @invariant()
    def stays_the_same_request(self) -> None:
        first, now = self.past[0], self.job
        assert (now.id, now.sequence, now.source, now.attempts, now.requested_at) == (
            (first.id, first.sequence, first.source, first.attempts, first.requested_at)
        )

    @invariant()
    def says_what_its_state_means(self) -> None:
        state = self.job.state
        assert (self.job.finished_at is None) == (state is State.QUEUED)
        assert (self.job.failure is None) == (state is not State.FAILED)
        assert (self.job.fetched_at is None) == (state is not State.SUCCEEDED)


def test_whatever_happens_a_job_ends_once_and_then_never_changes() -> None:
    run_state_machine_as_test(Life, settings=settings(stateful_step_count=6))
