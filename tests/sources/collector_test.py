import pytest

from mousetrap.geo.report import MAX_NOTES, MAX_REASONS
from mousetrap.settings.source_kinds import MaxBad
from mousetrap.sources.collector import Collector
from mousetrap.sources.errors import BadCoordinatesError, NoPointsError


def collect(good: int, bad: int, max_bad: MaxBad) -> Collector:
    """Return a collector of so many points after so many bad ones."""
    collector = Collector(max_points=10_000, max_bad=max_bad)
    for index in range(bad):
        collector.add(index, 91.0, 0.0)
    for index in range(bad, bad + good):
        collector.add(index, 1.0, 2.0)
    return collector


@pytest.mark.parametrize(
    ("good", "bad", "max_bad"),
    [
        (5, 0, 0),
        (5, 1, 1),
        (0, 3, 3),
        (95, 5, "5%"),
        (1, 1, "50%"),
        (1, 99, "100%"),
        (999, 1, "0.1%"),
    ],
)
def test_as_many_bad_features_as_the_source_allows_are_left_out(
    good: int, bad: int, max_bad: MaxBad
) -> None:
    collector = collect(good, bad, max_bad)

    assert collector.skipped().count == bad
    if good:
        assert len(collector.batch()) == good


def test_the_first_bad_feature_is_an_error_where_nothing_is_said() -> None:
    with pytest.raises(BadCoordinatesError, match=r"features\[0\]: latitude 91.*raise max_bad"):
        collect(5, 1, 0)


def test_one_bad_feature_too_many_is_an_error_at_once() -> None:
    with pytest.raises(
        BadCoordinatesError, match=r"features\[2\]: .*max_bad of this source from 2"
    ):
        collect(5, 3, 2)


def test_a_share_of_bad_features_is_looked_at_in_the_end() -> None:
    with pytest.raises(
        BadCoordinatesError, match=r"6 of 100 features are bad.* 5%; .*features\[0\]"
    ):
        collect(94, 6, "5%").batch()


def test_features_without_a_place_are_no_part_of_the_share() -> None:
    collector = collect(1, 1, "49%")
    for index in range(100):
        collector.leave_out(index, "no geometry")

    with pytest.raises(BadCoordinatesError, match="1 of 2 features"):
        collector.batch()


def test_bad_features_are_named_before_those_without_a_place() -> None:
    collector = Collector(max_points=10, max_bad=10)
    for index in range(20):
        collector.leave_out(index, "no geometry")
    collector.add(20, 91.0, 0.0)

    skipped = collector.skipped()

    assert skipped.count == 21
    assert skipped.reasons == {"no geometry": 20, "coordinates are out of range": 1}
    assert len(skipped.first) == MAX_NOTES
    assert skipped.first[0].startswith("features[20]: latitude 91.0 is not")
    assert skipped.first[1] == "features[0]: no geometry"


def test_reasons_and_notes_are_bounded() -> None:
    collector = Collector(max_points=10, max_bad="100%")
    for index in range(1000):
        collector.leave_out(index, f"reason {index}")
        collector.reject(index, f"fault {index}", "x" * 10_000)
        collector.warn(f"warning {index}")

    assert collector.skipped().count == 2000
    assert len(collector.skipped().reasons) == MAX_REASONS
    assert sum(collector.skipped().reasons.values()) == 2000
    assert max(map(len, collector.skipped().first)) <= 200
    assert len(collector.warnings()) == MAX_NOTES


def test_a_batch_of_nothing_says_why() -> None:
    collector = Collector(max_points=10)
    collector.leave_out(0, "a Polygon")
    collector.leave_out(1, "no geometry")

    with pytest.raises(NoPointsError, match=r"2 features .* a Polygon \(1\), no geometry \(1\)"):
        collector.batch()


def test_columns_that_no_point_has_are_empty() -> None:
    batch = collect(3, 0, 0).batch()

    assert (batch.ids, batch.groups, batch.values) == ((), (), ())


def test_columns_that_some_points_have_are_whole() -> None:
    collector = Collector(max_points=10)
    collector.add(0, 1.0, 2.0)
    collector.add(1, 1.0, 2.0, id="a", group="g", value=1.5)
    collector.add(2, 1.0, 2.0, group="g")
    collector.add(3, 1.0, 2.0, value=-2.0)

    batch = collector.batch()

    assert batch.ids == (None, "a", None, None)
    assert batch.groups == (None, "g", "g", None)
    assert batch.values == (None, 1.5, None, -2.0)


def test_a_column_that_stays_empty_is_explained_once() -> None:
    collector = Collector(max_points=10)
    collector.explain("names", "no names")
    collector.explain("groups", "no groups")
    collector.add(0, 1.0, 2.0, group="g")

    assert collector.warnings() == ("no names",)
