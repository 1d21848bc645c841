"""A connection to a real server: whatever happened to a call, the next one gets its own answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import BlockingConnectionPool

from mousetrap.queue.connection import LARGE, Connection
from mousetrap.queue.errors import QueueUnavailableError
from support.streams import blocked, until

FOREVER = ("BLPOP", "nothing", 0)


@pytest.fixture
async def pool(redis_url: str) -> AsyncIterator[BlockingConnectionPool]:
    pool = BlockingConnectionPool.from_url(redis_url, max_connections=1)
    yield pool
    await pool.disconnect()


async def test_answers_are_those_of_the_server(pool: BlockingConnectionPool) -> None:
    connection = Connection(pool, deadline=5.0)
    large = b"x" * (LARGE + 1)

    assert await connection.call("SET", "key", "größe") == b"OK"
    assert await connection.call("GET", b"key") == "größe".encode()
    assert await connection.call("INCRBYFLOAT", "number", 1.5) == b"1.5"
    assert await connection.call("INCRBY", "count", 3) == 3
    assert await connection.call("ECHO", large) == large


async def test_a_late_answer_is_not_that_of_the_next_call(pool: BlockingConnectionPool) -> None:
    connection = Connection(pool, deadline=0.3)
    assert await connection.call("ECHO", "first") == b"first"

    with pytest.raises(QueueUnavailableError, match=r"no answer within 0\.3 s"):
        await connection.call("BLPOP", "nothing", 0.4)
    for word in (b"second", b"third"):
        assert await connection.call("ECHO", word) == word


async def test_a_call_that_is_cut_off_does_not_harm_the_next_one(
    pool: BlockingConnectionPool, raw: Any
) -> None:
    connection = Connection(pool, deadline=20.0)
    call = asyncio.create_task(connection.call(*FOREVER))
    await until(lambda: blocked(raw))
    call.cancel()
    await asyncio.wait([call])

    assert call.cancelled()
    assert await connection.call("ECHO", "next") == b"next"


async def test_what_the_server_refuses_is_told_and_ends_nothing(
    pool: BlockingConnectionPool,
) -> None:
    connection = Connection(pool, deadline=5.0)
    number = await connection.call("CLIENT", "ID")

    with pytest.raises(QueueUnavailableError, match="unknown command"):
        await connection.call("NONSENSE")
    assert await connection.call("CLIENT", "ID") == number


async def test_a_connection_that_the_server_has_closed_is_opened_anew(
    pool: BlockingConnectionPool, raw: Any
) -> None:
    connection = Connection(pool, deadline=5.0)
    number = await connection.call("CLIENT", "ID")
    await raw.client_kill_filter(_id=number)

    assert await connection.call("CLIENT", "ID") > number
