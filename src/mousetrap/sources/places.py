"""Made-up places, for demonstrations and tests without a network."""

import asyncio
import random
from functools import cache
from typing import Final

from faker import Faker
from faker.providers.geo import Provider

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.geo.report import Report
from mousetrap.settings.source_kinds import FakerSettings
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.source import Context

MAX_NAMES: Final = 500
SPREAD: Final = 1.0
CONTINENT: Final = "Europe/"
"""The beginning of the time zones of the towns."""
INLINE_MAX: Final = 10
"""The maximum number of places that are made on the event loop: a thread would cost more."""
PLACE_BYTES: Final = 256
NOTHING: Final = Report()

_RANDOM: Final = random.Random()  # noqa: S311 - not for security


class InventedPlaces:
    """A source of made-up places."""

    def __init__(self, settings: FakerSettings, _: Context) -> None:
        self._count = settings.count

    def weight(self) -> int:
        """Return an estimate of the bytes of memory that a batch takes."""
        return self._count * PLACE_BYTES

    async def fetch(self) -> Fetched:
        """Return new places."""
        few = self._count <= INLINE_MAX
        batch = invent(self._count) if few else await asyncio.to_thread(invent, self._count)
        return Fetched(batch, NOTHING)


def invent(count: int) -> Batch:
    """Return `count` places in or near towns of Europe, named after fictional cities.

    On one continent, the centroid of a demonstration lies where a glance expects it.
    """
    return Batch.of(_place() for _ in range(count))


@cache
def _towns() -> tuple[tuple[float, float], ...]:
    # Cached, because one lookup in Faker costs more than the rest of a place.
    return tuple(
        (float(lat), float(lon))
        for lat, lon, _, _, zone in Provider.land_coords
        if zone.startswith(CONTINENT)
    )


@cache
def _name(_: int) -> str:
    # Cached, because Faker's names are slow and real towns share names, too.
    return _faker().city()


@cache
def _faker() -> Faker:
    return Faker()


def _place() -> Point:
    town_lat, town_lon = _RANDOM.choice(_towns())
    lat = town_lat + _RANDOM.uniform(-SPREAD, SPREAD)
    lon = town_lon + _RANDOM.uniform(-SPREAD, SPREAD)
    name = _name(_RANDOM.randrange(MAX_NAMES))
    # Five decimals are about a metre.
    return Point(round(lat, 5), round((lon + 180) % 360 - 180, 5), name)
