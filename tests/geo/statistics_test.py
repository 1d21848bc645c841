import statistics
import sys
from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo.statistics import Statistics, statistics_of

numbers = st.floats(allow_nan=False, allow_infinity=False)
MAX = sys.float_info.max


def test_missing_numbers_are_not_counted() -> None:
    assert statistics_of([2.0, None, 4.0, 9.0, -1.0, None]) == Statistics(4, -1.0, 3.0, 9.0, 3.5)
    assert statistics_of([None, None]) == Statistics(0, None, None, None, None)


def test_zero_has_no_sign() -> None:
    assert str(statistics_of([-0.0])) == str(statistics_of([0.0]))


def test_the_mean_of_equal_numbers_is_that_number() -> None:
    assert statistics_of([0.1, 0.1, 0.1]) == Statistics(3, 0.1, 0.1, 0.1, 0.1)


def test_numbers_whose_sum_is_none_have_a_mean() -> None:
    assert statistics_of([MAX, MAX, MAX]) == Statistics(3, MAX, MAX, MAX, MAX)
    assert statistics_of([MAX, MAX]).median == MAX
    assert statistics_of([-MAX, MAX]) == Statistics(2, -MAX, 0.0, MAX, 0.0)


@given(
    st.lists(numbers, min_size=1).flatmap(
        lambda them: st.tuples(st.just(them), st.permutations(them))
    )
)
def test_they_are_those_of_exact_arithmetic_whatever_the_order(
    pair: tuple[Sequence[float], Sequence[float]],
) -> None:
    column, shuffled = pair
    found = statistics_of(column)
    assert found == statistics_of(shuffled)
    assert (found.count, found.min, found.max) == (len(column), min(column), max(column))
    assert found.mean is not None
    assert found.median is not None
    exact = [Fraction(number) for number in column]
    for value, right in (
        (found.mean, sum(exact, Fraction()) / len(exact)),
        (found.median, statistics.median(exact)),
    ):
        # Half a unit in the last place for the sum, as much for the quotient.
        assert abs(Fraction(value) - right) <= max(abs(right) / 2**52, Fraction(1, 2**1070))
        assert min(column) <= value <= max(column)
