"""Invented places, for demonstrations and tests that need no network."""

import random
from functools import cache
from typing import Final

from faker import Faker
from faker.providers.geo import Provider

from mousetrap.geo.point import Point

MAX_NAMES: Final = 500
SPREAD: Final = 1.0

_CHANCE: Final = random.Random()  # noqa: S311 - guards nothing


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
