"""Whether a silent source delays another is said by the ratio of neighbouring rounds."""

import pytest

from bench import fairness
from bench.fairness import Fairness


@pytest.mark.parametrize(
    ("beside", "flaws"),
    [
        ([12.0, 11.0, 9.0], []),
        ([13.0, 13.0, 9.0], ["a silent source delays another 1.30 times"]),
    ],
)
def test_the_median_of_the_ratios_decides(beside: list[float], flaws: list[str]) -> None:
    assert fairness.flaws(Fairness(40, [10.0, 10.0, 10.0], beside)) == flaws
