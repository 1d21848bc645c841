import pytest

from mousetrap.api.http.errors import RateLimitedError
from mousetrap.api.http.rate_limit import BUCKETS, UNKNOWN, RateLimit, bucket


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def admitted(limit: RateLimit, key: str, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            limit.take(key)
        except RateLimitedError:
            continue
        count += 1
    return count


def test_admits_a_burst_and_then_the_rate(clock: Clock) -> None:
    limit = RateLimit(2.0, 5, clock)

    assert admitted(limit, "a", 20) == 5
    clock.now += 1.0
    assert admitted(limit, "a", 20) == 2
    clock.now += 3600.0
    assert admitted(limit, "a", 20) == 5


def test_a_key_does_not_use_up_that_of_another(clock: Clock) -> None:
    limit = RateLimit(1.0, 3, clock)

    assert admitted(limit, "a", 20) == 3
    assert admitted(limit, "b", 20) == 3


def test_tells_when_to_try_again(clock: Clock) -> None:
    limit = RateLimit(0.1, 1, clock)
    limit.take("a")
    clock.now += 2.5

    with pytest.raises(RateLimitedError) as raised:
        limit.take("a")
    assert raised.value.headers["Retry-After"] == "8"
    clock.now += 8

    limit.take("a")


def test_a_rate_of_0_is_no_limit(clock: Clock) -> None:
    assert admitted(RateLimit(0.0, 1, clock), "a", 1000) == 1000


def test_keeps_a_bounded_number_of_buckets_and_forgets_the_idle_ones(clock: Clock) -> None:
    limit = RateLimit(1.0, 1, clock)
    limit.take("busy")

    for number in range(2 * BUCKETS):
        limit.take(str(number))
        assert admitted(limit, "busy", 1) == 0

    assert len(limit) == BUCKETS


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("127.0.0.1", None),
        ("::1", None),
        ("::ffff:127.0.0.2", None),
        ("unix:", UNKNOWN),
        ("9" * 100_000, UNKNOWN),
    ],
)
def test_one_subscriber_has_one_bucket_and_this_machine_has_none(
    peer: str, key: str | None
) -> None:
    assert bucket(peer) == key
