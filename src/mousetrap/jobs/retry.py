"""Decides whether and when a failed attempt is retried."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from mousetrap.jobs.state import State

_MOST_DOUBLINGS = 30


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a job is attempted, and how long to wait in between.

    One round has at most `attempts`; it ends with the job, and a person who retries the job begins
    another. Waits are in seconds, exponential with full jitter: between nothing and
    `first_delay`, doubled with every failure up to `longest_delay` (M. Brooker, "Exponential
    Backoff And Jitter", AWS Architecture Blog, 2015). `lease` is how long a message that was sent
    is believed to be on its way.
    """

    attempts: int
    first_delay: float
    lease: float
    longest_delay: float = 300.0

    @property
    def longest(self) -> Sequence[float]:
        """The longest waits of the attempts of a round; the last is that of all later ones too.

        No delay before the attempt, and no lease of its message, is longer.
        """
        waits = [min(max(self.first_delay, self.lease), self._most)]
        while waits[-1] < self._most:
            waits.append(min(2 * waits[-1], self._most))
        return waits

    def delay(self, failed: int, *, retryable: bool) -> float | None:
        """Return the wait after the `failed`-th attempt of a round; None if there is no other."""
        if not retryable or failed >= self.attempts:
            return None
        return _jitter(0.0, _doubled(self.first_delay, failed - 1), self.longest_delay)

    def lease_of(self, attempt: int) -> float:
        """Return the time after which to look for the `attempt`-th message of a round.

        The first is looked for after `lease`; the ones that follow give the queue more and more
        time to recover, so that a job is not given up for the queue's troubles.
        """
        return _jitter(self.lease, _doubled(self.lease, attempt - 1), self._most)

    @property
    def _most(self) -> float:
        return max(self.longest_delay, self.lease)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come: its newest attempt, and the attempts of the rounds before."""

    state: State
    attempts: int
    attempts_before: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a failed `attempt`: another one after `delay` seconds; if None, the end."""

    attempt: int
    delay: float | None


def judge(
    progress: Progress, attempt: int, policy: RetryPolicy, *, retryable: bool
) -> Verdict | None:
    """Return the verdict on a failed attempt; None when it comes late and changes nothing.

    Only the newest attempt of a queued job counts.
    """
    newest = progress.attempts
    late = attempt < newest
    if late or progress.state is not State.QUEUED:
        return None
    delay = policy.delay(newest - progress.attempts_before, retryable=retryable)
    return Verdict(newest, delay)


def _doubled(seconds: float, times: int) -> float:
    return seconds * 2.0 ** min(times, _MOST_DOUBLINGS)


def _jitter(least: float, most: float, limit: float) -> float:
    return random.uniform(least, min(most, limit))  # noqa: S311 - spreads load, guards nothing
