from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo.runs import Runs

numbers = st.lists(st.floats(allow_nan=False))


@given(st.lists(numbers))
def test_numbers_in_parts_are_sorted_as_the_whole(parts: list[list[float]]) -> None:
    runs = Runs()
    for part in parts:
        runs.add(part)

    assert runs.sorted().tolist() == sorted(number for part in parts for number in part)
    assert runs.sorted() == runs.sorted()
