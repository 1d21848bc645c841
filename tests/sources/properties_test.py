import json

import pytest
from msgspec import Raw

from mousetrap.geo.batch import Batch
from mousetrap.settings.source_kinds import GeojsonSettings
from mousetrap.sources.collector import Collector
from mousetrap.sources.geojson import Reader
from mousetrap.sources.properties import ABSENT, Properties
from support import downloads
from support.features import collection, feature


def find(path: str, properties: object) -> object:
    [found] = Properties(path).read(Raw(json.dumps(properties).encode()))
    return None if found is ABSENT else json.loads(bytes(found))


@pytest.mark.parametrize(
    ("path", "properties", "right"),
    [
        ("city", {"city": "Bern"}, "Bern"),
        ("address.city", {"address": {"city": "Bern"}}, "Bern"),
        ("address.city", {"address.city": "Bern", "address": {"city": "Rome"}}, "Bern"),
        ("a.b.c", {"a": {"b": {"c": 1}}}, 1),
        ("a.b.c", {"a.b": {"c": 1}}, 1),
        ("a.b.c", {"a": {"b.c": 1}}, 1),
        ("a.b.c", {"a.b": {}, "a": {"b": {"c": 1}}}, None),
        ("a..b", {"a": {"": {"b": 1}}}, 1),
        (".", {".": 1}, 1),
        ("a.b", {"a": [1]}, None),
        ("a.b", {"a": "text"}, None),
        ("a.b", {}, None),
        ("a", [], None),
        ("a", None, None),
        (".".join("a" * 100), {"a": 1}, None),
    ],
)
def test_a_path_leads_to_a_member(path: str, properties: object, right: object) -> None:
    assert find(path, properties) == right


def test_paths_may_have_parts_in_common() -> None:
    found = Properties("a", "a.b", "a").read(Raw(b'{"a": {"b": 1}}'))

    assert list(map(bytes, found)) == [b'{"b": 1}', b"1", b'{"b": 1}']


def read(*features: object, **options: object) -> Batch:
    body = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    return downloads.read(body, **options)  # type: ignore[arg-type]


def with_properties(properties: object, **members: object) -> object:
    return json.loads(feature()) | {"properties": properties} | members


def test_the_path_id_leads_to_the_id_of_the_feature() -> None:
    batch = read(
        with_properties({"id": "own"}, id="a"),
        with_properties({}, id="b"),
        with_properties(None, id=3),
        with_properties({}),
        name_property="id",
    )

    assert batch.names == ("own", "b", "3", None)


@pytest.mark.parametrize(
    ("value", "group", "number"),
    [
        ("ml", "ml", None),
        (True, "true", None),
        (False, "false", None),
        (1.5, "1.5", 1.5),
        (-3, "-3", -3.0),
        ("2.5", "2.5", 2.5),
        (" 2.5 ", "2.5", 2.5),
        ("nan", "nan", None),
        ("1e999", "1e999", None),
        (None, None, None),
        ([1], None, None),
        ({"a": 1}, None, None),
    ],
)
def test_a_group_is_a_text_and_a_value_a_finite_number(
    value: object, group: str | None, number: float | None
) -> None:
    batch = read(with_properties({"a": {"b": value}}), group_by="a.b", value_property="a.b")

    assert batch.groups == (() if group is None else (group,))
    assert batch.values == (() if number is None else (number,))


def test_a_number_beyond_all_bounds_is_no_value() -> None:
    body = collection(feature(properties='{"mag": 1e999}'))

    assert downloads.read(body, value_property="mag").values == ()


def test_columns_are_read_only_where_the_source_asks_for_them() -> None:
    batch = read(with_properties({"name": "a", "mag": 1}))

    assert (batch.groups, batch.values) == ((), ())


def warnings(*features: object, **options: str) -> tuple[str, ...]:
    collector = Collector(max_points=100)
    settings = GeojsonSettings(url="https://example.org/", **options)  # type: ignore[arg-type]
    reader = Reader(settings, collector)
    reader.feed(json.dumps({"type": "FeatureCollection", "features": features}).encode())
    reader.finish()
    return collector.warnings()


def test_a_misspelt_path_is_told_with_the_names_that_there_are() -> None:
    shape = with_properties({"title": "a", "mag\x1b": 2, "x" * 100: 3})

    there = f'and there are "title", "mag", "{"x" * 30}"'
    assert warnings(shape, name_property="titel", group_by="kind", value_property="depth") == (
        f'no point has a name: name_property is "titel", {there}',
        f'no point has a group: group_by is "kind", {there}',
        f'no point has a value: value_property is "depth", {there}',
    )


def test_a_feed_without_any_properties_is_no_reason_to_warn() -> None:
    assert warnings(with_properties({}), with_properties(None)) == ()


def test_one_name_is_enough() -> None:
    assert warnings(with_properties({"a": 1}), with_properties({"name": "a"})) == ()


def test_the_names_of_many_properties_are_not_read() -> None:
    assert warnings(with_properties({str(number): "x" * 10 for number in range(10_000)})) == ()
