"""What the two stages do and where: the same for every peer, told by the environment."""

import os
from typing import Any, Final

from faker import Faker

SOCKET: Final = os.environ["PEER_SOCKET"]
DATABASE: Final = int(os.environ["PEER_DATABASE"])
REDIS_URL: Final = f"unix://{SOCKET}?db={DATABASE}"
POSTGRES_DSN: Final = os.environ["PEER_POSTGRES_DSN"]
# Seconds of silence after which a worker's jobs should go to another one.
LEASE: Final = int(os.environ["PEER_LEASE"])
# How long the source of a batch takes to answer.
DELAY: Final = float(os.environ["PEER_DELAY"])

FETCH: Final = "fetch"
PROCESS: Final = "process"
CONCURRENCY: Final = 4
POOL_SIZE: Final = 5
POINTS: Final = 10
# A try that ends with an exception is followed by another one, where the library does that.
TRIES: Final = 5

STORE: Final = "INSERT INTO effect (job, points) VALUES ({}, {})"

Points = list[dict[str, Any]]


def invent() -> Points:
    """Return a batch, made in the way of Mousetrap's own source of invented places."""
    fake = Faker()
    names = [fake.city() for _ in range(POINTS)]
    return [_point(fake, name) for name in names]


def _point(fake: Faker, name: str) -> dict[str, Any]:
    town = fake.location_on_land()
    return {"lat": float(town[0]), "lon": float(town[1]), "name": name}
