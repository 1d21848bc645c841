"""Whether there is another attempt, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.jobs.retry import Progress, RetryPolicy, Verdict, judge
from mousetrap.jobs.state import State

POLICY = RetryPolicy(attempts=5, first_delay=2.0, lease=10.0, longest_delay=300.0)

policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 100),
    first_delay=st.floats(0.01, 1000),
    lease=st.floats(0.5, 3600),
    longest_delay=st.floats(1, 1000),
)
numbers = st.integers(1, 2**31 - 1)


def test_the_last_attempt_is_followed_by_none() -> None:
    waits = [POLICY.delay(failed, retryable=True) for failed in range(1, 7)]

    assert [wait is None for wait in waits] == [False, False, False, False, True, True]


@given(policies, numbers)
def test_what_a_retry_cannot_help_is_not_retried(policy: RetryPolicy, failed: int) -> None:
    assert policy.delay(failed, retryable=False) is None


@given(policies, numbers)
def test_a_wait_is_at_most_the_first_one_doubled_with_every_failure(
    policy: RetryPolicy, failed: int
) -> None:
    wait = policy.delay(failed, retryable=True)

    assert (wait is None) == (failed >= policy.attempts)
    if wait is not None:
        most = policy.first_delay * 2.0 ** min(failed - 1, 100)
        assert 0 <= wait <= min(most, policy.longest_delay)


@given(policies, numbers)
def test_a_message_is_looked_for_no_sooner_than_its_lease(
    policy: RetryPolicy, attempt: int
) -> None:
    lease = policy.lease_of(attempt)

    assert policy.lease <= lease <= max(policy.longest_delay, policy.lease)


@given(policies, numbers)
def test_nothing_waits_longer_than_the_longest_wait_of_its_attempt(
    policy: RetryPolicy, attempt: int
) -> None:
    longest = policy.longest[min(attempt, len(policy.longest)) - 1]

    assert policy.lease_of(attempt) <= longest
    if attempt > 1:
        assert (policy.delay(attempt - 1, retryable=True) or 0) <= longest


def test_the_longest_waits_double_from_a_lease_to_the_longest_delay() -> None:
    assert POLICY.longest == [10, 20, 40, 80, 160, 300]


def test_the_first_message_is_looked_for_after_just_its_lease() -> None:
    assert POLICY.lease_of(1) == POLICY.lease


@pytest.mark.parametrize("choose", [POLICY.lease_of, lambda it: POLICY.delay(it, retryable=True)])
def test_two_jobs_that_failed_together_do_not_come_back_together(choose: object) -> None:
    assert callable(choose)
    assert len({choose(2) for _ in range(20)}) > 1


def test_an_attempt_that_may_be_repeated_is_followed_by_another() -> None:
    verdict = judge(Progress(State.QUEUED, 2, 0), 2, POLICY, retryable=True)

    assert verdict is not None
    assert verdict.attempt == 2
    assert verdict.delay is not None


def test_the_last_attempt_of_a_round_ends_the_job() -> None:
    beyond = Progress(State.QUEUED, 7, 2)

    assert judge(beyond, 7, POLICY, retryable=True) == Verdict(7, None)


def test_an_attempt_that_is_repeated_in_vain_ends_the_job() -> None:
    assert judge(Progress(State.QUEUED, 1, 0), 1, POLICY, retryable=False) == Verdict(1, None)


def test_an_attempt_that_the_database_does_not_know_of_yet_counts_as_the_newest() -> None:
    assert judge(Progress(State.QUEUED, 1, 0), 2, POLICY, retryable=False) == Verdict(1, None)


@pytest.mark.parametrize(
    ("progress", "attempt"),
    [
        (Progress(State.QUEUED, 3, 0), 2),
        (Progress(State.SUCCEEDED, 1, 0), 1),
        (Progress(State.FAILED, 1, 0), 1),
    ],
)
def test_a_failure_that_comes_late_changes_nothing(progress: Progress, attempt: int) -> None:
    assert judge(progress, attempt, POLICY, retryable=True) is None
