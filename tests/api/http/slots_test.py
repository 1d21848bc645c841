from mousetrap.api.http.slots import Full, Slots


def test_slots_are_bounded_in_all_and_for_each_holder() -> None:
    slots = Slots(3, 2)
    for holder in ("a", "a", "b"):
        assert slots.full(holder) is None
        slots.take(holder)

    assert slots.full("c") is Full.TOTAL
    slots.leave("b")
    assert slots.full("a") is Full.HOLDER
    assert slots.full("c") is None


def test_a_holder_that_stands_for_many_is_bounded_by_the_total_alone() -> None:
    slots = Slots(3, 1)
    for _ in range(3):
        assert slots.full(None) is None
        slots.take(None)

    assert slots.full(None) is Full.TOTAL


def test_a_slot_is_given_back() -> None:
    slots = Slots(1, 1)
    with slots.held("a"):
        assert slots.full("a") is Full.TOTAL
    assert slots.full("a") is None
    assert slots.taken == 0
