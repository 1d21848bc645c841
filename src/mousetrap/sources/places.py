"""Invented places, for demonstrations and tests that need no network."""

from functools import cache
from typing import Final

from faker import Faker

from mousetrap.geo.point import Point

MAX_NAMES: Final = 500
SPREAD: Final = 1.0


def invent(count: int) -> tuple[Point, ...]:
    """Return `count` places with the names of cities that do not exist, on or near land.

    100,000 of them keep a processor busy for about a second, ten for less than a millisecond.
    """
    fake = _faker()
    return tuple(_place(fake) for _ in range(count))


@cache
def _faker() -> Faker:
    # Making one takes longer than inventing ten places. Threads may share it: they have the same
    # source of random numbers anyway, the module's, which stands that.
    return Faker()


@cache
def _name(_: int) -> str:
    # It takes fifty times as long to invent as a place, and towns do share names.
    return _faker().city()


def _place(fake: Faker) -> Point:
    town = fake.location_on_land()
    lat = float(town[0]) + fake.random.uniform(-SPREAD, SPREAD)
    lon = float(town[1]) + fake.random.uniform(-SPREAD, SPREAD)
    name = _name(fake.random.randrange(MAX_NAMES))
    # Five decimals are about a metre.
    return Point(round(lat, 5), round((lon + 180) % 360 - 180, 5), name)
