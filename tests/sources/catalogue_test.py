import asyncio

import pytest

from mousetrap.geo.batch import Batch
from mousetrap.settings.source_kinds import KINDS, FakerSettings, GeojsonSettings, SourceSettings
from mousetrap.settings.sources import Sources
from mousetrap.sources.catalogue import SOURCES, Catalogue
from mousetrap.sources.errors import BadUrlError, TooManyPointsError, UnknownSourceError
from mousetrap.sources.packed import whole
from support.features import collection, feature, many
from support.origin import Origin, answer

SECONDS = 20


def sources(**entries: SourceSettings) -> Sources:
    return Sources(default=next(iter(entries)), sources=entries)


async def fetch(catalogue: Catalogue, name: str) -> Batch:
    async with asyncio.timeout(SECONDS):
        return whole((await catalogue.fetch(name)).batch)


def test_every_kind_has_a_class() -> None:
    assert set(SOURCES) == set(KINDS)


async def test_invented_places_need_no_network() -> None:
    async with Catalogue(sources(demo=FakerSettings(count=7))) as catalogue:
        assert len(await fetch(catalogue, "demo")) == 7


async def test_how_large_a_batch_may_be_is_known_before() -> None:
    feed = GeojsonSettings(url="http://127.0.0.1/", max_bytes=7)
    large = GeojsonSettings(url="http://127.0.0.1/", max_bytes=2**26)
    async with Catalogue(sources(demo=FakerSettings(count=7), feed=feed, large=large)) as catalogue:
        assert catalogue.weight("demo") > 7
        assert catalogue.weight("feed") == 6 * 7
        assert catalogue.weight("large") == 6 * 2**26
        assert catalogue.weight("nowhere") == 0


async def test_a_feed_is_fetched_within_its_own_limits(origin: Origin) -> None:
    origin.answers(answer(many(3)))
    wide = GeojsonSettings(url=origin.url(), allow_private=True, max_points=3)
    narrow = GeojsonSettings(url=origin.url(), allow_private=True, max_points=2)
    async with Catalogue(sources(wide=wide, narrow=narrow)) as catalogue:
        assert len(await fetch(catalogue, "wide")) == 3
        with pytest.raises(TooManyPointsError):
            await fetch(catalogue, "narrow")


async def test_the_batch_of_one_source_is_not_that_of_another(origin: Origin) -> None:
    for path, lon in (("/a", 1), ("/b", 2)):
        origin.answers(
            answer(collection(feature(f"[{lon}, 0]")), ETag='"same"'),
            answer(status=304),
            path=path,
        )
    both = {
        name: GeojsonSettings(url=origin.url(f"/{name}"), allow_private=True) for name in ("a", "b")
    }
    async with Catalogue(sources(**both)) as catalogue:
        for _ in range(2):
            assert [(await fetch(catalogue, name))[0].lon for name in ("a", "b")] == [1, 2]


async def test_an_unknown_source_is_an_error_that_says_what_to_add() -> None:
    async with Catalogue(sources(demo=FakerSettings())) as catalogue:
        with pytest.raises(UnknownSourceError, match=r"add \[sources\.other\] to sources\.toml"):
            await fetch(catalogue, "other")


async def test_a_url_that_cannot_be_read_fails_only_its_own_source() -> None:
    broken = GeojsonSettings(url="http://127.0.0.1:99999/")
    async with Catalogue(sources(demo=FakerSettings(count=1), broken=broken)) as catalogue:
        with pytest.raises(BadUrlError, match="port 99999"):
            await fetch(catalogue, "broken")
        assert await fetch(catalogue, "demo")


async def test_many_places_leave_time_to_other_tasks() -> None:
    async with Catalogue(sources(demo=FakerSettings(count=100_000))) as catalogue:
        fetching = asyncio.create_task(fetch(catalogue, "demo"))
        turns = 0
        while not fetching.done():
            turns += 1
            await asyncio.sleep(0.001)

    assert len(await fetching) == 100_000
    assert turns > 10


async def test_connections_at_a_time_are_bounded(origin: Origin) -> None:
    opened = most = 0

    async def play(writer: asyncio.StreamWriter) -> None:
        nonlocal opened, most
        opened += 1
        most = max(most, opened)
        # Until as many as may come are there: only then could one more be seen.
        if opened == 2:
            gate.set()
        await gate.wait()
        for _ in range(20):
            await asyncio.sleep(0)
        opened -= 1
        writer.write(answer(many(1)))

    gate = asyncio.Event()
    feeds = {
        f"feed-{number}": GeojsonSettings(url=origin.url(f"/{number}"), allow_private=True)
        for number in range(6)
    }
    for number in range(6):
        origin.answers(play, path=f"/{number}")
    async with (
        asyncio.timeout(SECONDS),
        Catalogue(sources(**feeds), max_connections=2) as catalogue,
        asyncio.TaskGroup() as group,
    ):
        for name in feeds:
            group.create_task(catalogue.fetch(name))

    assert len(origin.requests) == 6
    assert most == 2


async def test_an_error_of_the_program_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("mousetrap.sources.places.invent", broken)
    async with Catalogue(sources(demo=FakerSettings())) as catalogue:
        with pytest.raises(ZeroDivisionError):
            await fetch(catalogue, "demo")
