"""Whole answers of a downloader, and whole batches of a parser."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from mousetrap.geo.batch import Batch
from mousetrap.settings.source_kinds import GeojsonSettings, MaxBad
from mousetrap.sources.collector import Collector
from mousetrap.sources.geojson import GeojsonFeed, Reader
from mousetrap.sources.http.body import Allowance
from mousetrap.sources.http.download import NO_VERSION, Downloader, Request, Version
from mousetrap.sources.http.urls import parse
from mousetrap.sources.packed import whole


class Got(NamedTuple):
    """A whole answer."""

    body: bytes
    version: Version


async def get(  # noqa: PLR0913 - as `Downloader.ask`
    downloader: Downloader,
    url: str,
    *,
    media_types: Sequence[str] = GeojsonFeed.media_types,
    max_bytes: int = 10_000,
    max_redirects: int = 3,
    known: Version = NO_VERSION,
    allow_private: bool = True,
) -> Got | None:
    """Return the whole answer of a URL, or None if it still has the known version."""
    async with (
        asyncio.timeout(10),
        downloader.ask(
            Request(parse(url)),
            media_types=media_types,
            allowance=Allowance(max_bytes),
            max_redirects=max_redirects,
            known=known,
            allow_private=allow_private,
        ) as answer,
    ):
        if answer is None:
            return None
        return Got(b"".join([piece async for piece in answer.pieces]), answer.version)


def read(
    body: bytes,
    *,
    name_property: str = "name",
    max_points: int = 100_000,
    max_bad: MaxBad = 0,
    **options: Any,
) -> Batch:
    """Return the batch of a GeoJSON document; the other options are keys of its source."""
    collector = Collector(max_points=max_points, max_bad=max_bad)
    settings = GeojsonSettings(
        url="https://example.org/", name_property=name_property, changes=True, **options
    )
    reader = Reader(settings, collector)
    reader.feed(body)
    reader.finish()
    return whole(collector.batch())
