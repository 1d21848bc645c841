"""A large FeatureCollection is read in blocks, and gives the points of the whole."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mousetrap.geo.batch import Batch
from mousetrap.settings.source_kinds import GeojsonSettings
from mousetrap.sources import blocks
from mousetrap.sources.collector import Collector
from mousetrap.sources.errors import MalformedError, TruncatedError, WrongCrsError
from mousetrap.sources.geojson import Reader
from mousetrap.sources.packed import whole
from mousetrap.sources.parser import Page

SETTINGS = GeojsonSettings(
    url="https://example.org/", changes=True, group_by="kind", value_property="mag"
)
# Texts that look like the place between two features, and values that have that place in them.
texts = st.sampled_from(
    ['},{"type":"Feature"', "]}", '"', "\\", '"features":[', "name", "\ud83d", "🐭"]
)
inner = st.sampled_from(
    [
        [{"type": "a"}, {"type": "b"}],
        [[{"id": 1}, {"id": 2}]],
        {"features": [{"type": 1}]},
        [],
        None,
    ]
)


@st.composite
def features(draw: st.DrawFn) -> dict[str, Any]:
    members = {
        "type": "Feature",
        "id": draw(st.integers(0, 99) | texts),
        "geometry": {"type": "Point", "coordinates": [draw(st.integers(-180, 180)), 1.5]},
        "properties": {
            "name": draw(texts),
            "kind": draw(texts | inner),
            "mag": draw(st.integers() | st.none()),
        },
        "links": draw(inner),
    }
    return {name: members[name] for name in draw(st.permutations(list(members)))}


@st.composite
def collections(draw: st.DrawFn) -> bytes:
    members: dict[str, Any] = {
        "type": "FeatureCollection",
        "metadata": draw(inner),
        "features": draw(st.lists(features(), min_size=1, max_size=12)),
        "numberMatched": 12,
    }
    ordered = {name: members[name] for name in draw(st.permutations(list(members)))}
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : ")]))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    return (mark + json.dumps(ordered, separators=separators)).encode()


def read(body: bytes, size: int = 10_000_000) -> tuple[Batch, Page, Sequence[str]]:
    collector = Collector(max_points=1000)
    reader = Reader(SETTINGS, collector)
    for start in range(0, len(body), size):
        reader.feed(body[start : start + size])
    page = reader.finish()
    return whole(collector.batch()), page, collector.warnings()


@settings(deadline=None)
@given(collections(), st.integers(1, 300), st.integers(1, 300))
def test_blocks_have_the_points_of_the_whole(body: bytes, block: int, size: int) -> None:
    whole = read(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", block)
        assert read(body, size) == whole


FEATURE = '{"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":null}'


def document(count: int, *, head: str = "", tail: str = "") -> str:
    listed = ",".join([FEATURE] * count)
    return f'{{"type":"FeatureCollection",{head}"features":[{listed}]{tail}}}'


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 200)


@pytest.mark.usefixtures("small")
def test_features_are_let_go_before_the_answer_ends() -> None:
    collector = Collector(max_points=1000)
    reader = Reader(SETTINGS, collector)
    begin = document(50).removesuffix("]}").encode()

    for start in range(0, len(begin), 100):
        reader.feed(begin[start : start + 100])

    assert len(collector) > 40


@pytest.mark.usefixtures("small")
def test_features_are_named_by_their_index_in_the_answer() -> None:
    body = document(20).replace("[1,2]", '["x","y"]')
    collector = Collector(max_points=1000, max_bad=20)
    reader = Reader(SETTINGS, collector)
    for start in range(0, len(body), 100):
        reader.feed(body[start : start + 100].encode())
    reader.finish()
    assert collector.skipped().count == 20
    assert [it.partition(":")[0] for it in collector.skipped().first] == [
        f"features[{index}]" for index in range(5)
    ]


@pytest.mark.usefixtures("small")
def test_a_fault_is_told_with_its_place_in_the_answer() -> None:
    body = document(20, tail=",!").encode()
    with pytest.raises(MalformedError, match=rf"\(byte {body.index(b'!')}\)"):
        read(body, 100)


@pytest.mark.usefixtures("small")
def test_an_answer_that_is_cut_off_is_truncated() -> None:
    with pytest.raises(TruncatedError):
        read(document(20)[:-100].encode(), 100)


@pytest.mark.usefixtures("small")
def test_a_reference_system_after_the_features_is_noticed() -> None:
    crs = ',"crs":{"type":"name","properties":{"name":"EPSG:3857"}}'
    with pytest.raises(WrongCrsError, match="3857"):
        read(document(20, tail=crs).encode(), 100)


@pytest.mark.usefixtures("small")
def test_features_that_are_there_twice_are_refused() -> None:
    again = f',"features":[{FEATURE}]'
    with pytest.raises(MalformedError, match='two members "features"'):
        read(document(20, tail=again).encode(), 100)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("size", [100, 10_000])
def test_other_lists_of_objects_are_not_cut(size: int) -> None:
    links = json.dumps([{"type": "a", "href": "x" * 100}] * 20)
    features = f"[{','.join([FEATURE] * 20)}]"
    body = document(20, head=f'"links":{links},', tail=f',"links":{links},"others":{features}')

    batch, page, _ = read(body.encode(), size)

    assert len(batch) == page.features == 20


@pytest.mark.usefixtures("small")
def test_a_feature_that_is_none_is_named_by_its_index_in_the_answer() -> None:
    body = document(20, tail=',"x":1').replace('],"x"', ',{"type":"Feature","geometry":3}],"x"')
    with pytest.raises(MalformedError, match=r"features\[20\]"):
        read(body.encode(), 100)


@pytest.mark.usefixtures("small")
def test_features_that_are_there_twice_are_refused_wherever_they_are_cut() -> None:
    again = f',"features":[{",".join([FEATURE] * 20)}]'
    for size in (1, 100, 10_000):
        with pytest.raises(MalformedError, match='two members "features"'):
            read(document(20, tail=again).encode(), size)


@pytest.mark.usefixtures("small")
def test_another_member_of_that_name_within_others_is_allowed() -> None:
    other = '"metadata":{"features":[1]}'
    for body in (document(20, tail=f",{other}"), document(20, head=f"{other},", tail=f",{other}")):
        batch, page, _ = read(body.encode(), 100)
        assert len(batch) == page.features == 20
