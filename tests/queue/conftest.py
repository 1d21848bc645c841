"""The stream of requests on a real server, for workers of ours and for stock ones."""

import gc
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from redis.asyncio import Redis

from support.streams import Stream
from support.workers import Stock


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Cut off while it reclaims, the stock broker leaves a connection behind. A mark made by the
    # fixture would be too late: the filters are set before a test's fixtures are.
    for item in items:
        if "stock" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))


@pytest.fixture(autouse=True)
def events(events: list[Any]) -> list[Any]:
    """The log of this process; caught in every test here."""
    return events


@pytest.fixture
def stream(redis_url: str, raw: Redis) -> Stream:
    return Stream(redis_url, raw)


@pytest.fixture
def stock(redis_url: str) -> Iterator[Stock]:
    yield Stock(redis_url)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
