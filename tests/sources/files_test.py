import asyncio
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from mousetrap.geo.point import Point
from mousetrap.settings import sources as settings
from mousetrap.settings.errors import SettingsError
from mousetrap.settings.source_kinds import FORMATS, FileSettings
from mousetrap.sources.batches import Batches
from mousetrap.sources.catalogue import Catalogue
from mousetrap.sources.errors import (
    BadCoordinatesError,
    DeadlineError,
    IncompleteError,
    SourceError,
    TooLargeError,
    TooManyPointsError,
    TruncatedError,
    UnreadableFileError,
)
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.files import MAX_FILES, Files
from mousetrap.sources.http.download import Downloader
from mousetrap.sources.packed import whole
from mousetrap.sources.source import Context
from support.features import collection, feature

SUVA, APIA = Point(-18.14, 178.44, "Suva"), Point(-13.83, -171.76, "Apia")
ONE = b"name,lat,lon\nSuva,-18.14,178.44\n"
TWO = b"name,lat,lon\nApia,-13.83,-171.76\n"


async def fetch(path: Path, **keys: Any) -> Fetched:
    downloader = Downloader(max_connections=1)
    context = Context("files", downloader, Batches())
    async with asyncio.timeout(10):
        return await Files(FileSettings(path=str(path), **keys), context).fetch()


async def test_a_file_is_a_batch(tmp_path: Path) -> None:
    path = tmp_path / "stations.csv"
    path.write_bytes(ONE)

    fetched = await fetch(path)

    assert list(whole(fetched.batch)) == [SUVA]
    assert (fetched.report.pages, fetched.report.bytes) == (1, len(ONE))
    assert fetched.report.status is None


async def test_all_files_of_a_pattern_are_one_batch_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(ONE)
    (tmp_path / "a.csv").write_bytes(TWO + b"nowhere,,\n")
    (tmp_path / "c.txt").write_bytes(b"no CSV")

    fetched = await fetch(tmp_path / "*.csv")

    assert list(whole(fetched.batch)) == [APIA, SUVA]
    assert fetched.report.pages == 2
    assert fetched.report.skipped.first == ("line 3: no coordinates",)


@pytest.mark.parametrize("name", ["points.geojson", "points.GeoJSON", "points.geojson.gz"])
async def test_the_extension_tells_the_format(tmp_path: Path, name: str) -> None:
    body = collection(feature("[178.44, -18.14]", properties='{"place": "Suva"}'))
    (tmp_path / name).write_bytes(gzip.compress(body) if name.endswith("gz") else body)

    fetched = await fetch(tmp_path / name, name_property="place")

    assert list(whole(fetched.batch)) == [SUVA]


@pytest.mark.parametrize("format_", FORMATS)
async def test_files_may_have_each_format(tmp_path: Path, format_: str) -> None:
    body = {
        "csv": ONE,
        "geojson": collection(feature("[178.44, -18.14]")),
        "geojsonseq": feature("[178.44, -18.14]").encode(),
        "json": b'[{"lat": -18.14, "lon": 178.44}]',
        "kml": b"<kml><Placemark><Point><coordinates>178.44,-18.14</coordinates></Point>"
        b"</Placemark></kml>",
        "gpx": b'<gpx><wpt lat="-18.14" lon="178.44"/></gpx>',
        "georss": b"<rss><item><point>-18.14 178.44</point></item></rss>",
    }[format_]
    (tmp_path / "points").write_bytes(body)

    batch = (await fetch(tmp_path / "points", format=format_)).batch

    assert [(point.lat, point.lon) for point in whole(batch)] == [(-18.14, 178.44)]


async def test_a_format_that_is_set_counts_more_than_the_extension(tmp_path: Path) -> None:
    (tmp_path / "stations.geojson").write_bytes(ONE)

    assert list(whole((await fetch(tmp_path / "stations.geojson", format="csv")).batch)) == [SUVA]


async def test_the_name_of_a_file_may_look_like_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "[1].csv").write_bytes(ONE)

    assert len((await fetch(tmp_path / "[1].csv")).batch) == 1


@pytest.mark.parametrize("name", ["none.csv", "*.csv", "none/none.csv"])
async def test_a_file_that_is_not_there_may_come_later(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableFileError, match="there is no such file") as caught:
        await fetch(tmp_path / name)

    assert caught.value.retryable
    assert str(tmp_path) not in str(caught.value)
    assert str(tmp_path)[:100] in caught.value.excerpt


async def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")

    with pytest.raises(UnreadableFileError, match=r"pipe\.csv .*it is not a file"):
        await fetch(tmp_path / "pipe.csv")


@pytest.mark.parametrize(
    ("keys", "body", "error", "message"),
    [
        ({}, b"lat,lon\n91,0\n", BadCoordinatesError, r"^b\.csv: page 2: line 2: latitude 91"),
        ({"max_bytes": len(ONE) + 10}, TWO, TooLargeError, "more than max_bytes"),
        ({"max_points": 1}, TWO, TooManyPointsError, "max_points"),
        ({}, gzip.compress(TWO)[:-9], TruncatedError, r"^b\.csv: .*gzip"),
        ({"max_bytes": 50_000}, gzip.compress(bytes(10_000_000)), TooLargeError, "max_bytes"),
        ({"deadline": 1e-6}, TWO, DeadlineError, "within 1e-06 s"),
    ],
)
async def test_the_bounds_are_those_of_all_files_together(
    tmp_path: Path, keys: dict[str, Any], body: bytes, error: type[SourceError], message: str
) -> None:
    (tmp_path / "a.csv").write_bytes(ONE)
    (tmp_path / "b.csv").write_bytes(body)

    with pytest.raises(error, match=message):
        await fetch(tmp_path / "*.csv", **keys)


async def test_there_are_not_too_many_files(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1):
        (tmp_path / f"{number}.csv").touch()

    with pytest.raises(TooLargeError, match=f"more than {MAX_FILES} files"):
        await fetch(tmp_path / "*.csv")


async def test_a_path_is_relative_to_the_folder_of_the_sources(tmp_path: Path) -> None:
    (tmp_path / "stations.csv").write_bytes(ONE)
    file = tmp_path / "sources.toml"
    file.write_text('default = "a"\n[sources.a]\nkind = "file"\npath = "stations.csv"\n', "utf-8")

    async with asyncio.timeout(10), Catalogue(settings.load(file)) as catalogue:
        assert list(whole((await catalogue.fetch("a")).batch)) == [SUVA]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('path = "stations.dat"', "set format to one of csv, geojson"),
        ('path = "stations.csv"\nname_property = "x"', "no key of the format csv: remove it"),
        ('path = "a.geojson"\nlat = "x"', "`lat` is no key of the format geojson: remove it"),
        ('path = "a.dat"\nformat = "dat"', "format: invalid enum value 'dat'"),
        ('path = ""', "path: it has the wrong form"),
    ],
)
def test_keys_of_another_format_are_refused(tmp_path: Path, keys: str, message: str) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(f'default = "a"\n[sources.a]\nkind = "file"\n{keys}\n', "utf-8")

    with pytest.raises(SettingsError, match=message):
        settings.load(file)


async def test_bad_points_are_left_out_of_all_files_as_the_source_allows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(ONE + b"Nowhere,north,0\nFar,91,0\n")
    (tmp_path / "b.csv").write_bytes(TWO)

    fetched = await fetch(tmp_path / "*.csv", max_bad="50%")

    assert list(whole(fetched.batch)) == [SUVA, APIA]
    assert fetched.report.skipped.reasons == {
        "coordinates are not numbers": 1,
        "coordinates are out of range": 1,
    }
    with pytest.raises(BadCoordinatesError, match="2 of 4 features are bad"):
        await fetch(tmp_path / "*.csv", max_bad="49%")


async def test_geojson_files_are_read_with_the_keys_of_geojson(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    line = feature("[[1, 2], [3, 4]]", kind="LineString")
    path.write_bytes(collection(line, feature(properties='{"a": {"b": 5}}')))

    fetched = await fetch(path, geometry="points-only", group_by="a.b", value_property="a.b")

    assert len(fetched.batch) == 1
    assert fetched.batch.groups == ("5",)
    assert fetched.batch.values == (5.0,)


def paged(name: str, **members: Any) -> bytes:
    lines = collection(feature(properties=f'{{"name": "{name}"}}'))
    return lines[:-1] + b"," + json.dumps(members).encode()[1:] if members else lines


@pytest.mark.parametrize(
    "members",
    [{"numberMatched": 2}, {"exceededTransferLimit": True}, {"next": "https://example.org/2"}],
)
async def test_a_part_of_a_feed_is_not_taken_for_the_whole(
    tmp_path: Path, members: dict[str, Any]
) -> None:
    (tmp_path / "1.geojson").write_bytes(paged("first", **members))
    with pytest.raises(IncompleteError, match=r"a part of a feed.*: save its other pages"):
        await fetch(tmp_path / "*.geojson")

    last = {"numberMatched": 2} if "numberMatched" in members else {}
    (tmp_path / "2.geojson").write_bytes(paged("last", **last))
    fetched = await fetch(tmp_path / "*.geojson")

    assert whole(fetched.batch).names == ("first", "last")
    told = "1 of 2 files say that they are a part of a feed"
    assert (told in fetched.report.warnings) == (not last)
