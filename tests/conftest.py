"""Real servers for the tests of every room: one pair for each pytest process."""

import itertools
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import redis
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from mousetrap.stack import folder
from mousetrap.stack import servers as stack_servers

# Generated examples are the same in every run and leave no file behind: the caches would go to the
# working directory, and where they cannot be written hypothesis does without.
settings.load_profile("ci")
set_hypothesis_home_dir(os.devnull)

NUMBERS = itertools.cycle(range(1, 16))


@pytest.fixture(scope="session")
def servers() -> Iterator[stack_servers.Servers]:
    with (
        tempfile.TemporaryDirectory(prefix="mousetrap-tests-") as root,
        folder.hold(Path(root)) as held,
        stack_servers.run(held, durable=False) as running,
    ):
        yield running


@pytest.fixture
async def postgres_dsn(servers: stack_servers.Servers) -> AsyncIterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    admin = await asyncpg.connect(servers.postgres_dsn, timeout=10, command_timeout=30)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        yield servers.database(name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close(timeout=10)


@pytest.fixture
def redis_url(servers: stack_servers.Servers) -> str:
    url = servers.logical_database(next(NUMBERS))
    with redis.Redis.from_url(url, socket_timeout=10) as client:
        client.flushdb()
    return url
