from mousetrap.sources.places import invent


def test_places_have_names_and_are_not_all_the_same() -> None:
    places = invent(50)

    assert len(places) == 50
    assert all(place.name for place in places)
    assert len({(place.lat, place.lon) for place in places}) == 50
    assert len({place.name for place in places}) > 10


def test_places_are_spread_over_one_continent() -> None:
    places = invent(2000)

    assert all(34 < place.lat < 72 for place in places)
    assert all(-11 < place.lon < 62 for place in places)
    assert max(place.lon for place in places) - min(place.lon for place in places) > 30


def test_coordinates_have_no_more_digits_than_a_metre_needs() -> None:
    assert all(
        round(place.lat, 5) == place.lat and round(place.lon, 5) == place.lon
        for place in invent(200)
    )


def test_one_place_is_enough() -> None:
    [place] = invent(1)

    assert place.name
