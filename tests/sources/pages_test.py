"""A feed in pages is read to its end, or refused: a part never passes for the whole."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mousetrap.settings.source_kinds import GeojsonSettings
from mousetrap.sources.batches import Batches
from mousetrap.sources.collector import Collector
from mousetrap.sources.errors import (
    BadCoordinatesError,
    BadUrlError,
    DeadlineError,
    IncompleteError,
    NoPointsError,
    PrivateAddressError,
    TooLargeError,
    TooManyPointsError,
)
from mousetrap.sources.feed import Feed
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.geojson import GeojsonFeed
from mousetrap.sources.http.download import Downloader
from mousetrap.sources.packed import whole
from mousetrap.sources.parser import Page, Whole
from mousetrap.sources.source import Context
from support.origin import Origin, answer

ARCGIS = "/arcgis/rest/services/Quakes/FeatureServer/0/query?where=1%3D1"
WFS = "/geoserver/wfs?SERVICE=WFS&request=GetFeature&typeNames=quakes"


class Numbers(Whole):
    """Reads a list of longitudes, and says of its page what the answer says."""

    def __init__(self, collector: Collector) -> None:
        super().__init__()
        self._collector = collector

    def read(self, body: bytearray) -> Page:
        read = json.loads(body)
        for index, lon in enumerate(read["points"]):
            self._collector.add(index, 0.0, float(lon))
        return Page(
            len(read["points"]), read.get("next"), read.get("partial", False), read.get("total")
        )


class Numbered(Feed):
    media_types = ("application/json",)

    def parser(self, collector: Collector) -> Numbers:
        return Numbers(collector)


@pytest.fixture
async def downloader() -> AsyncIterator[Downloader]:
    downloader = Downloader(max_connections=1)
    yield downloader
    await downloader.close()


def page(*points: float, link: str | None = None, status: int = 200, **said: Any) -> bytes:
    headers: dict[str, Any] = {} if link is None else {"Link": f'<{link}>; rel="next"'}
    body = json.dumps({"points": points, **said}).encode()
    return answer(body, content_type="application/json", status=status, **headers)


def feed(origin: Origin, downloader: Downloader, path: str = "/", **settings: Any) -> Feed:
    wanted = {"allow_private": True, "url": origin.url(path), **settings}
    return Numbered(GeojsonSettings(**wanted), Context("feed", downloader, Batches()))


async def fetch(feed: Feed) -> Fetched:
    async with asyncio.timeout(10):
        return await feed.fetch()


def lons(fetched: Fetched) -> list[float]:
    return list(whole(fetched.batch).longitudes)


async def test_a_link_header_leads_to_the_next_page(origin: Origin, downloader: Downloader) -> None:
    """RFC 8288 section 3: the target may be relative to the answer."""
    origin.answers(page(1, 2, link="?page=2"), path="/feed")
    origin.answers(page(3, link=origin.url("/last")), path="/feed?page=2")
    origin.answers(page(4), path="/last")

    fetched = await fetch(feed(origin, downloader, "/feed"))

    assert lons(fetched) == [1, 2, 3, 4]
    assert [it.path for it in origin.requests] == ["/feed", "/feed?page=2", "/last"]
    assert fetched.report.pages == 3
    bodies = [b'{"points": [1, 2]}', b'{"points": [3]}', b'{"points": [4]}']
    assert fetched.report.bytes == sum(map(len, bodies))
    assert (fetched.report.status, fetched.report.truncated) == (200, False)


async def test_a_link_in_the_body_leads_to_the_next_page(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(page(1, next="/2", total=2))
    origin.answers(page(2, total=2, partial=True), path="/2")

    assert lons(await fetch(feed(origin, downloader))) == [1, 2]


async def test_the_link_header_is_believed_before_the_body(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(page(1, link="/2", next="/3"))
    origin.answers(page(2), path="/2")

    assert lons(await fetch(feed(origin, downloader))) == [1, 2]


async def test_a_redirected_page_is_what_its_link_is_relative_to(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(answer(status=302, Location="/deep/1"))
    origin.answers(page(1, link="2"), path="/deep/1")
    origin.answers(page(2), path="/deep/2")

    assert lons(await fetch(feed(origin, downloader))) == [1, 2]


@pytest.mark.parametrize("said", [{"partial": True}, {"total": 2}, {"total": 2, "partial": True}])
async def test_a_part_without_a_link_is_refused(
    origin: Origin, downloader: Downloader, said: dict[str, Any]
) -> None:
    origin.answers(page(1, **said))

    with pytest.raises(IncompleteError, match=r"a part of the feed.*set `paging`") as caught:
        await fetch(feed(origin, downloader))

    assert (caught.value.code, caught.value.retryable) == ("incomplete", False)
    assert ("(1 of 2 features)" in str(caught.value)) == ("total" in said)


async def test_fewer_features_than_the_server_counts_are_refused(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(page(1, link="/2", total=3))
    origin.answers(page(2, total=3), path="/2")

    with pytest.raises(IncompleteError, match=r"\(2 of 3 features\)"):
        await fetch(feed(origin, downloader))
    assert lons(await fetch(feed(origin, downloader, paging="links"))) == [1, 2]


async def test_links_alone_do_not_hide_that_an_answer_was_cut(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(page(1, partial=True))

    with pytest.raises(IncompleteError):
        await fetch(feed(origin, downloader, paging="links"))


async def test_the_first_page_is_enough_where_the_operator_says_so(
    origin: Origin, downloader: Downloader
) -> None:
    for said in ({"partial": True}, {"total": 2}, {"next": "/2"}, {"link": "/2"}):
        origin.answers(page(1, **said))

        fetched = await fetch(feed(origin, downloader, paging="first"))

        assert lons(fetched) == [1]
        assert fetched.report.truncated
    origin.answers(page(1, total=1))
    assert not (await fetch(feed(origin, downloader, paging="first"))).report.truncated


async def test_a_query_of_arcgis_goes_on_by_count(origin: Origin, downloader: Downloader) -> None:
    origin.answers(page(1, 2, partial=True), path=ARCGIS)
    origin.answers(page(3, 4, partial=True), path=f"{ARCGIS}&resultOffset=2")
    origin.answers(page(5), path=f"{ARCGIS}&resultOffset=4")

    assert lons(await fetch(feed(origin, downloader, ARCGIS))) == [1, 2, 3, 4, 5]
    assert len(origin.requests) == 3


async def test_getfeature_of_wfs_goes_on_by_count(origin: Origin, downloader: Downloader) -> None:
    origin.answers(page(3, total=5), path=f"{WFS}&STARTINDEX=2")
    origin.answers(page(4, 5, total=5), path=f"{WFS}&startIndex=3")

    # The url itself leaves out the first two.
    assert lons(await fetch(feed(origin, downloader, f"{WFS}&STARTINDEX=2"))) == [3, 4, 5]


@pytest.mark.parametrize(("paging", "name"), [("arcgis", "resultOffset"), ("wfs", "startIndex")])
async def test_a_server_that_says_nothing_is_counted_to_an_empty_page(
    origin: Origin, downloader: Downloader, paging: str, name: str
) -> None:
    origin.answers(page(1, 2, link="/never"))
    origin.answers(page(3), path=f"/?{name}=2")
    origin.answers(page(), path=f"/?{name}=3")

    fetched = await fetch(feed(origin, downloader, paging=paging))

    assert lons(fetched) == [1, 2, 3]
    assert fetched.report.pages == 3


@pytest.mark.parametrize("paging", ["arcgis", "wfs"])
async def test_a_server_that_counts_is_not_asked_for_an_empty_page(
    origin: Origin, downloader: Downloader, paging: str
) -> None:
    origin.answers(page(1, 2, total=2))

    assert lons(await fetch(feed(origin, downloader, paging=paging))) == [1, 2]
    assert len(origin.requests) == 1


async def test_an_empty_page_in_the_middle_is_refused(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(page(1, partial=True))
    origin.answers(page(partial=True), path="/?resultOffset=1")
    with pytest.raises(IncompleteError, match="page 2 is empty"):
        await fetch(feed(origin, downloader, paging="arcgis"))

    origin.answers(page(partial=True), path=ARCGIS)
    with pytest.raises(IncompleteError, match="a part of the feed"):
        await fetch(feed(origin, downloader, ARCGIS))


async def test_a_server_that_does_not_heed_the_count_is_found_out(
    origin: Origin, downloader: Downloader
) -> None:
    for path in (WFS, f"{WFS}&startIndex=2"):
        origin.answers(page(1, 2, total=4), path=path)

    with pytest.raises(IncompleteError, match="the same page again"):
        await fetch(feed(origin, downloader, WFS))


@pytest.mark.parametrize("links", [["/"], ["/2", "/2"], ["/2", "/3", "/2"], ["/2", "/"]])
async def test_pages_in_a_circle_are_refused(
    origin: Origin, downloader: Downloader, links: list[str]
) -> None:
    for path, link in zip(["/", *links], links, strict=False):
        origin.answers(page(1, link=link), path=path)

    with pytest.raises(IncompleteError, match="a page that was read already"):
        await fetch(feed(origin, downloader))


async def test_pages_are_bounded(origin: Origin, downloader: Downloader) -> None:
    for number in range(1, 10):
        origin.answers(page(link=f"/?{number + 1}"), path=f"/?{number}")

    with pytest.raises(IncompleteError, match="max_pages, which is 5: raise max_pages"):
        await fetch(feed(origin, downloader, "/?1", max_pages=5))
    assert len(origin.requests) == 5

    origin.answers(page(1), path="/?5")
    assert (await fetch(feed(origin, downloader, "/?1", max_pages=5))).report.pages == 5


async def test_pages_without_a_point_are_an_empty_batch(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(page(link="/2"))
    origin.answers(page(), path="/2")

    with pytest.raises(NoPointsError):
        await fetch(feed(origin, downloader))


async def test_the_bounds_are_those_of_all_pages_together(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(page(1, 2, link="/2"))
    origin.answers(page(3, 4), path="/2")
    size = 2 * len(b'{"points": [1, 2]}')

    exact: dict[str, Any] = {"max_points": 4, "max_bytes": size}
    assert lons(await fetch(feed(origin, downloader, **exact))) == [1, 2, 3, 4]
    with pytest.raises(TooManyPointsError):
        await fetch(feed(origin, downloader, **exact | {"max_points": 3}))
    with pytest.raises(TooLargeError, match=f"more than {size - 1} bytes"):
        await fetch(feed(origin, downloader, **exact | {"max_bytes": size - 1}))

    origin.answers(origin.hang, path="/2")
    with pytest.raises(DeadlineError):
        await fetch(feed(origin, downloader, deadline=0.3))


async def test_an_error_names_the_page(origin: Origin, downloader: Downloader) -> None:
    origin.answers(page(1, link="/2"))
    origin.answers(page(2, 1000), path="/2")

    with pytest.raises(BadCoordinatesError, match=r"^page 2: features\[1\]: "):
        await fetch(feed(origin, downloader))


async def test_a_next_page_is_checked_as_a_redirect_is(
    origin: Origin, downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for link in ("ftp://example.org/", "http://user:secret@example.org/", "http://a:x", "data:x"):
        origin.answers(page(1, link=link))
        with pytest.raises(BadUrlError) as caught:
            await fetch(feed(origin, downloader))
        assert "secret" not in str(caught.value)

    # The first host passes for a public one.
    monkeypatch.setattr(
        "mousetrap.sources.http.addresses.is_global", lambda address: address == "127.0.0.1"
    )
    origin.answers(page(1, link="http://127.0.0.2/"))
    with pytest.raises(PrivateAddressError):
        await fetch(feed(origin, downloader, allow_private=False))


async def test_the_validators_of_one_page_say_nothing_of_the_others(
    origin: Origin, downloader: Downloader
) -> None:
    tagged = answer(
        b'{"points": [1]}', content_type="application/json", ETag='"1"', Link="</2>; rel=next"
    )
    origin.answers(tagged)
    origin.answers(page(2), page(3), path="/2")
    source = feed(origin, downloader)

    assert [lons(await fetch(source)) for _ in range(2)] == [[1, 2], [1, 3]]
    assert not any("if-none-match" in it.headers for it in origin.requests)


def geojson(**members: Any) -> bytes:
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}}
    return json.dumps(
        {"type": "FeatureCollection", "features": [point | {"properties": {}}], **members}
    ).encode()


@pytest.mark.parametrize(
    "first",
    [
        {"links": [{"rel": "next", "href": "?2"}], "numberMatched": 2, "numberReturned": 1},
        {"next": "/?2", "count": 2},
        {"pagination": {"next": "/?2"}},
        {"links": {"next": {"href": "/?2"}}},
    ],
)
async def test_the_pages_of_geojson_are_read_to_their_end(
    origin: Origin, downloader: Downloader, first: dict[str, Any]
) -> None:
    """OGC API Features, Django REST framework and others; the last page tells its total alone."""
    origin.answers(answer(geojson(**first)))
    origin.answers(answer(geojson(numberMatched=2, numberReturned=1)), path="/?2")
    settings = GeojsonSettings(url=origin.url(), allow_private=True)

    fetched = await fetch(GeojsonFeed(settings, Context("feed", downloader, Batches())))

    assert (len(fetched.batch), fetched.report.pages) == (2, 2)


@pytest.mark.parametrize(
    ("part", "last", "path", "next_path"),
    [
        ({"exceededTransferLimit": True}, {}, ARCGIS, f"{ARCGIS}&resultOffset=1"),
        (
            {"properties": {"exceededTransferLimit": True}},
            {},
            ARCGIS,
            f"{ARCGIS}&resultOffset=1",
        ),
        ({"totalFeatures": 2}, {"totalFeatures": 2}, WFS, f"{WFS}&startIndex=1"),
    ],
)
async def test_the_pages_of_geojson_servers_are_counted(  # noqa: PLR0913, PLR0917 - cases
    origin: Origin,
    downloader: Downloader,
    part: dict[str, Any],
    last: dict[str, Any],
    path: str,
    next_path: str,
) -> None:
    other = geojson(**last).replace(b"[1, 2]", b"[3, 4]")
    origin.answers(answer(geojson(**part)), path=path)
    origin.answers(answer(other), path=next_path)
    origin.answers(answer(geojson(**part)))
    asked = [
        GeojsonFeed(
            GeojsonSettings(url=origin.url(it), allow_private=True),
            Context("feed", downloader, Batches()),
        )
        for it in (path, "/")
    ]

    assert len((await fetch(asked[0])).batch) == 2
    with pytest.raises(IncompleteError):
        await fetch(asked[1])
