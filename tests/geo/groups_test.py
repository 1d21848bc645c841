from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo import groups
from mousetrap.geo.errors import TooManyGroupsError
from mousetrap.geo.groups import MAX_GROUPS, Counts, Groups, groups_of

columns = st.lists(st.none() | st.integers(0, 70).map(str))


def test_the_most_frequent_values_come_first_and_equals_by_code_points() -> None:
    found = groups_of(["b", None, "c", "a", "c", "ä", None])
    assert found == Groups({"c": 2, "a": 1, "b": 1, "ä": 1}, 0, 2, 4)
    assert list(found.counts) == ["c", "a", "b", "ä"]


def test_beyond_the_maximum_values_are_others() -> None:
    column = [str(number) for number in range(MAX_GROUPS + 7)] * 2 + ["many"] * 9
    found = groups_of(column)
    assert next(iter(found.counts.items())) == ("many", 9)
    assert (len(found.counts), found.others, found.distinct) == (MAX_GROUPS, 16, MAX_GROUPS + 8)


@given(columns.flatmap(lambda column: st.tuples(st.just(column), st.permutations(column))))
def test_every_point_counts_once_whatever_the_order(
    pair: tuple[Sequence[str | None], Sequence[str | None]],
) -> None:
    column, shuffled = pair
    found = groups_of(column)
    assert found == groups_of(shuffled)
    assert list(found.counts) == list(groups_of(shuffled).counts)
    assert sum(found.counts.values()) + found.others + found.without == len(column)
    assert all(column.count(value) == count for value, count in found.counts.items())
    rest = set(column) - {None, *found.counts}
    assert found.distinct == len(found.counts) + len(rest)
    least = min(found.counts.values(), default=0)
    assert all(column.count(value) <= least for value in rest)


@pytest.mark.parametrize(
    ("limit", "last"),
    [("MAX_DISTINCT", ["c"]), ("MAX_CHARACTERS", ["c"]), ("MAX_CHARACTERS", ["bc"])],
)
def test_more_groups_than_memory_has_room_for_are_an_error(
    limit: str, last: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(groups, limit, 2)
    counts = Counts()
    counts.add(["a", None, "b"])
    counts.add(["b", "a"])
    with pytest.raises(TooManyGroupsError, match="set group_by"):
        counts.add(last)
