"""The two stages, the same for every peer, with settings from the environment."""

import os
import random
from functools import cache
from typing import Any, Final

from faker import Faker
from faker.providers.geo import Provider

SOCKET: Final = os.environ["PEER_SOCKET"]
DATABASE: Final = int(os.environ["PEER_DATABASE"])
REDIS_URL: Final = f"unix://{SOCKET}?db={DATABASE}"
POSTGRES_DSN: Final = os.environ["PEER_POSTGRES_DSN"]
# Seconds of silence after which the jobs of a worker should go to another one.
LEASE: Final = int(os.environ["PEER_LEASE"])
# The delay of the source in seconds.
DELAY: Final = float(os.environ["PEER_DELAY"])

FETCH: Final = "fetch"
PROCESS: Final = "process"
CONCURRENCY: Final = int(os.environ["PEER_CONCURRENCY"])
POOL_SIZE: Final = 5
POINTS: Final = 1
NAMES: Final = 500
CHANCE: Final = random.Random()  # noqa: S311 - not for security
# The library retries a task that raises, if it can.
TRIES: Final = 5

STORE: Final = "INSERT INTO effect (job, points) VALUES ({}, {})"

Points = list[dict[str, Any]]


def invent() -> Points:
    """Return a batch as Mousetrap's own source of invented places makes it."""
    return [_place() for _ in range(POINTS)]


@cache
def _towns() -> list[tuple[float, float]]:
    return [(float(lat), float(lon)) for lat, lon, *_ in Provider.land_coords]


@cache
def _faker() -> Faker:
    return Faker()


@cache
def _name(_: int) -> str:
    return _faker().city()


def _place() -> dict[str, Any]:
    town_lat, town_lon = CHANCE.choice(_towns())
    lat, lon = town_lat + CHANCE.uniform(-1, 1), town_lon + CHANCE.uniform(-1, 1)
    name = _name(CHANCE.randrange(NAMES))
    return {"lat": round(lat, 5), "lon": round((lon + 180) % 360 - 180, 5), "name": name}
