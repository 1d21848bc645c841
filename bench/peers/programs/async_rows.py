"""Stores the batches of peers with an event loop: a row for each time that one is stored."""

import asyncio
import json

import asyncpg

from bench.peers.programs import work

Pool = asyncpg.Pool


async def fetch() -> work.Points:
    """Run the first stage."""
    await asyncio.sleep(work.DELAY)
    return work.invent()


async def connect() -> "Pool[asyncpg.Record]":
    """Open the connections of a worker."""
    return await asyncpg.create_pool(work.POSTGRES_DSN, min_size=1, max_size=work.POOL_SIZE)


async def store(pool: "Pool[asyncpg.Record]", job: str, points: work.Points) -> None:
    """Run the second stage."""
    await pool.execute(work.STORE.format("$1", "$2"), job, json.dumps(points))
