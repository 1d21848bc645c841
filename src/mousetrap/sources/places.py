"""Invented places, for demonstrations and tests that need no network."""

import asyncio
import random
from functools import cache
from typing import Final

from faker import Faker
from faker.providers.geo import Provider

from mousetrap.geo.point import Point
from mousetrap.settings.source_kinds import FakerSettings
from mousetrap.sources.source import Context

MAX_NAMES: Final = 500
SPREAD: Final = 1.0
FEW: Final = 10
"""The most places that are invented in less time than another thread costs."""
PLACE_BYTES: Final = 256

_CHANCE: Final = random.Random()  # noqa: S311 - guards nothing


class InventedPlaces:
    """A source of invented places."""

    def __init__(self, settings: FakerSettings, _: Context) -> None:
        self._count = settings.count

    def weight(self) -> int:
        """Return how many bytes of memory a batch takes, about."""
        return self._count * PLACE_BYTES

    async def fetch(self) -> tuple[Point, ...]:
        """Return new places."""
        if self._count <= FEW:
            return invent(self._count)
        return await asyncio.to_thread(invent, self._count)


def invent(count: int) -> tuple[Point, ...]:
    """Return `count` places with the names of cities that do not exist, on or near land.

    100,000 of them keep a processor busy for a fifth of a second, ten for 20 microseconds.
    """
    return tuple(_place() for _ in range(count))


@cache
def _towns() -> tuple[tuple[float, float], ...]:
    # To ask Faker for one takes longer than all the rest of a place.
    return tuple((float(lat), float(lon)) for lat, lon, *_ in Provider.land_coords)


@cache
def _name(_: int) -> str:
    # It takes fifty times as long to invent as a place, and towns do share names.
    return _faker().city()


@cache
def _faker() -> Faker:
    return Faker()


def _place() -> Point:
    town_lat, town_lon = _CHANCE.choice(_towns())
    lat = town_lat + _CHANCE.uniform(-SPREAD, SPREAD)
    lon = town_lon + _CHANCE.uniform(-SPREAD, SPREAD)
    name = _name(_CHANCE.randrange(MAX_NAMES))
    # Five decimals are about a metre.
    return Point(round(lat, 5), round((lon + 180) % 360 - 180, 5), name)
