from mousetrap.api.http.places import Full, Places


def test_places_are_bounded_in_all_and_for_each_holder() -> None:
    places = Places(3, 2)
    for holder in ("a", "a", "b"):
        assert places.full(holder) is None
        places.take(holder)

    assert places.full("c") is Full.TOTAL
    places.leave("b")
    assert places.full("a") is Full.HOLDER
    assert places.full("c") is None


def test_a_holder_that_stands_for_many_is_bounded_by_the_total_alone() -> None:
    places = Places(3, 1)
    for _ in range(3):
        assert places.full(None) is None
        places.take(None)

    assert places.full(None) is Full.TOTAL


def test_a_place_is_given_back() -> None:
    places = Places(1, 1)
    with places.held("a"):
        assert places.full("a") is Full.TOTAL
    assert places.full("a") is None
    assert places.taken == 0
