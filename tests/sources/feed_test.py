import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.settings.source_kinds import GeojsonSettings
from mousetrap.sources import memory
from mousetrap.sources.batches import Batches
from mousetrap.sources.errors import (
    DeadlineError,
    RefusedError,
    ServerTroubleError,
    WrongContentTypeError,
)
from mousetrap.sources.feed import Feed
from mousetrap.sources.geojson import GeojsonFeed, Reader
from mousetrap.sources.http.download import Downloader
from mousetrap.sources.packed import whole
from mousetrap.sources.parser import Page
from mousetrap.sources.source import Context
from support.features import collection, feature
from support.origin import Origin, answer

EARTHQUAKES = Path(__file__).parents[1] / "resources" / "usgs-all-week.geojson"
ONE, TWO = collection(feature("[1, 1]")), collection(feature("[2, 2]"))
FIRST, SECOND = Batch.of([Point(1, 1, "here")]), Batch.of([Point(2, 2, "here")])


@pytest.fixture
async def downloader() -> AsyncIterator[Downloader]:
    downloader = Downloader(max_connections=1)
    yield downloader
    await downloader.close()


def feed(origin: Origin, downloader: Downloader, **limits: Any) -> Feed:
    settings = GeojsonSettings(url=origin.url(), allow_private=True, **limits)
    return GeojsonFeed(settings, Context("feed", downloader, Batches()))


async def fetch(feed: Feed) -> Batch:
    async with asyncio.timeout(10):
        return whole((await feed.fetch()).batch)


async def test_a_real_feed_arrives_whole(origin: Origin, downloader: Downloader) -> None:
    origin.answers(answer(EARTHQUAKES.read_bytes()))

    points = await fetch(feed(origin, downloader, name_property="place"))

    assert len(points) == 1707
    assert points[0].name == "4km W of Castaic, CA"


async def test_an_answer_is_read_beside_the_event_loop(
    origin: Origin, downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    original = Reader.finish

    def finish(reader: Reader) -> Page:
        threads.append(threading.current_thread())
        return original(reader)

    monkeypatch.setattr(Reader, "finish", finish)
    origin.answers(answer(ONE))

    assert await fetch(feed(origin, downloader)) == FIRST
    assert threads != [threading.main_thread()]


async def test_what_has_not_changed_is_not_sent_again(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(answer(ONE, ETag='"1"'), answer(status=304))
    source = feed(origin, downloader)

    assert [await fetch(source) for _ in range(3)] == [FIRST, FIRST, FIRST]
    assert [request.headers.get("if-none-match") for request in origin.requests] == [
        None,
        '"1"',
        '"1"',
    ]


async def test_what_has_changed_replaces_what_was_known(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(answer(ONE, ETag='"1"'), answer(TWO, ETag='"2"'), answer(status=304))
    source = feed(origin, downloader)

    assert [await fetch(source) for _ in range(3)] == [FIRST, SECOND, SECOND]
    assert origin.requests[-1].headers["if-none-match"] == '"2"'


async def test_a_broken_answer_leaves_what_was_known(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(
        answer(ONE, ETag='"1"'),
        answer(b"<html>", ETag='"2"'),
        answer(status=503),
        answer(status=304),
    )
    source = feed(origin, downloader)
    await fetch(source)

    with pytest.raises(WrongContentTypeError):
        await fetch(source)
    with pytest.raises(ServerTroubleError):
        await fetch(source)

    assert await fetch(source) == FIRST
    assert origin.requests[-1].headers["if-none-match"] == '"1"'


async def test_a_server_that_answers_unchanged_to_a_first_question_is_refused(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(answer(status=304))

    with pytest.raises(RefusedError, match="304"):
        await fetch(feed(origin, downloader))


@pytest.mark.parametrize(
    "page", [b"<!DOCTYPE html><p>no</p>", b'\xef\xbb\xbf \n<?xml version="1.0"?><no/>', b"<p"]
)
async def test_a_page_or_xml_in_place_of_the_feed_is_refused(
    origin: Origin, downloader: Downloader, page: bytes
) -> None:
    origin.answers(answer(page))

    with pytest.raises(WrongContentTypeError, match="in a browser") as caught:
        await fetch(feed(origin, downloader))
    assert "no" not in str(caught.value).split()
    assert caught.value.excerpt.endswith(page[-5:].decode("ascii"))


async def silent(origin: Origin, writer: asyncio.StreamWriter) -> None:
    await origin.hang(writer)


async def half(origin: Origin, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(ONE)[:-10])
    await origin.hang(writer)


async def dripping(origin: Origin, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not origin.closing.is_set():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def dripping_head(origin: Origin, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while not origin.closing.is_set():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def circling(_: Origin, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.1)
    writer.write(answer(status=302, Location="/"))


@pytest.mark.parametrize("script", [silent, half, dripping, dripping_head, circling])
async def test_the_deadline_is_for_everything_together(
    origin: Origin, downloader: Downloader, script: Any
) -> None:
    async def play(writer: asyncio.StreamWriter) -> None:
        await script(origin, writer)

    origin.answers(play)

    with pytest.raises(DeadlineError, match=r"within 0\.3 s: try again later") as caught:
        await fetch(feed(origin, downloader, deadline=0.3, max_redirects=10))
    assert caught.value.retryable

    # The one connection that there may be is free again.
    origin.answers(answer(ONE))
    assert await fetch(feed(origin, downloader)) == FIRST


async def test_a_fetch_can_be_cancelled_and_gives_its_connection_back(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(origin.hang, answer(ONE))
    source = feed(origin, downloader)
    fetching = asyncio.create_task(source.fetch())
    async with asyncio.timeout(5):
        await origin.arrived.acquire()

    fetching.cancel()

    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert await fetch(source) == FIRST


async def test_the_deadline_stands_still_while_there_is_no_memory(
    origin: Origin, downloader: Downloader
) -> None:
    claimed: list[int] = []

    async def claim(weight: int) -> None:
        claimed.append(weight)
        await asyncio.sleep(0.4)

    origin.answers(answer(ONE), origin.hang)
    source = feed(origin, downloader, deadline=0.3, max_bytes=1000)
    token = memory.bind(claim)
    try:
        assert await fetch(source) == FIRST
        with pytest.raises(DeadlineError):
            await fetch(source)
    finally:
        memory.release(token)

    # A server that says nothing has taken no memory.
    assert claimed == [6000]
