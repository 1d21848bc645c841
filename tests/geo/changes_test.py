from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo.changes import MAX_IDS, Changes, Comparison

BEFORE = UUID(int=1)
ids = st.lists(st.none() | st.sampled_from("abcdefgh"))


def compared(batch: list[str | None], *parts: list[str | None]) -> Changes:
    comparison = Comparison(batch)
    for part in parts:
        comparison.add(part)
    return comparison.changes(BEFORE)


def test_ids_are_in_the_order_of_their_batch() -> None:
    found = compared(["d", "a", None, "b", "d"], ["e", "a", "c"], [None, "c", "a"])
    assert found == Changes(BEFORE, 2, 2, ("d", "b"), ("e", "c"))


def test_all_are_counted_and_the_first_are_named() -> None:
    many = [str(number) for number in range(MAX_IDS + 1)]
    found = compared([*many], [f"old {it}" for it in many])
    assert (found.new, found.gone) == (MAX_IDS + 1, MAX_IDS + 1)
    assert found.new_ids == tuple(many[:-1])
    assert len(found.gone_ids) == MAX_IDS


@given(ids, ids, ids)
def test_it_is_the_difference_of_the_sets_however_the_earlier_batch_is_parted(
    batch: list[str | None], first: list[str | None], second: list[str | None]
) -> None:
    found = compared(batch, first, second)
    after, before = set(batch) - {None}, {*first, *second} - {None}
    assert (set(found.new_ids), set(found.gone_ids)) == (after - before, before - after)
    assert (found.new, found.gone) == (len(after - before), len(before - after))
