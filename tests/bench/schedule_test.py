"""When requests are due in an open loop."""

import time
from itertools import pairwise

from bench import schedule


def test_as_many_arrive_as_the_rate_says() -> None:
    moments = schedule.arrivals(50, 200, seed=1)

    assert len(moments) == sum(0 <= it < 200 for it in moments)
    assert 9_600 < len(moments) < 10_400  # four standard deviations of 10,000


def test_arrivals_are_in_order_and_not_regular() -> None:
    moments = schedule.arrivals(50, 20, seed=1)

    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert min(gaps) >= 0
    assert min(gaps) < 0.001
    assert max(gaps) > 0.05


def test_the_same_seed_gives_the_same_schedule() -> None:
    assert schedule.arrivals(50, 2, seed=1) == schedule.arrivals(50, 2, seed=1)
    assert schedule.arrivals(50, 2, seed=1) != schedule.arrivals(50, 2, seed=2)


async def test_each_moment_is_given_when_it_has_come() -> None:
    begin = time.perf_counter()
    moments = [begin + offset for offset in (0.005, 0.010, 0.010, 0.030)]

    given = [(moment, time.perf_counter()) async for moment in schedule.due(moments)]

    assert [moment for moment, _ in given] == moments
    assert all(now >= moment for moment, now in given)


async def test_moments_that_have_passed_are_given_at_once_and_as_what_they_are() -> None:
    past = [time.perf_counter() - 1, time.perf_counter() - 0.5]

    assert [moment async for moment in schedule.due(past)] == past
