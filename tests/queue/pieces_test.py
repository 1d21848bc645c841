"""Pieces of large batches wait beside their messages, and not for ever."""

import pytest
from redis.asyncio import Redis

from mousetrap.messages.schema import MAX_PIECE_BYTES
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.pieces import KEPT, PREFIX, PieceStore, new_key


async def test_pieces_are_kept_in_their_order_until_they_are_dropped(
    redis_url: str, raw: Redis
) -> None:
    async with PieceStore(redis_url) as pieces:
        key = new_key()
        await pieces.put(key, [b"first", b"second"])

        assert [await pieces.get(key, number) for number in range(3)] == [b"first", b"second", b""]

        await pieces.drop(key, 2)
        assert await pieces.get(key, 0) == b""
        await pieces.drop(key, 2)
    assert await raw.keys("*") == []


async def test_what_nobody_drops_is_collected(redis_url: str, raw: Redis) -> None:
    async with PieceStore(redis_url) as pieces:
        key = new_key()
        await pieces.put(key, [b"first", b"second"])
    for number in range(2):
        assert 0 < await raw.ttl(f"{PREFIX}{key}:{number}") <= KEPT


async def test_two_senders_of_one_job_do_not_mix_their_pieces(redis_url: str) -> None:
    async with PieceStore(redis_url) as pieces:
        one, other = new_key(), new_key()
        await pieces.put(one, [b"one"])
        await pieces.put(other, [b"other"])
        assert (await pieces.get(one, 0), await pieces.get(other, 0)) == (b"one", b"other")


async def test_no_more_is_read_of_a_piece_than_tells_that_it_is_too_large(
    redis_url: str, raw: Redis
) -> None:
    await raw.set(f"{PREFIX}key:0", b"x" * (2 * MAX_PIECE_BYTES))
    async with PieceStore(redis_url) as pieces:
        assert len(await pieces.get("key", 0)) == MAX_PIECE_BYTES + 1


async def test_a_server_that_is_away_is_named() -> None:
    async with PieceStore("redis://127.0.0.1:1/0", deadline=0.5) as pieces:
        for call in (pieces.put("key", [b"first"]), pieces.get("key", 0), pieces.drop("key", 1)):
            with pytest.raises(QueueUnavailableError):
                await call
