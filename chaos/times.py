"""The time that a process of a run tells."""

import asyncio
import contextlib
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import Final

import asyncpg
import httpx2
import redis

from chaos.cells import Kind
from chaos.member import Member
from chaos.system import System
from mousetrap.stack import ports

TOLERANCE: Final = 3.0
"""Seconds; what the processes of ours tell is up to two seconds old, and without fractions."""
WITHIN: Final = 10.0
PERIOD: Final = 0.1


async def tells(system: System, member: Member, offset: float) -> bool:
    """Return whether a process tells a time so many seconds ahead, within WITHIN seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(WITHIN):
            while not await _agrees(system, member, offset):  # noqa: ASYNC110 - it sends no signal
                await asyncio.sleep(PERIOD)
            return True
    return False


async def _agrees(system: System, member: Member, offset: float) -> bool:
    try:
        told = await _told(system, member)
    except (OSError, asyncpg.PostgresError, redis.RedisError, httpx2.HTTPError):
        return False  # it is asked again
    return abs(told - time.time() - offset) < TOLERANCE


async def _told(system: System, member: Member) -> float:
    """Return seconds since 1970."""
    match member.kind:
        case Kind.DATABASE:
            async with system.database() as database:
                return float(
                    await database.fetchval("SELECT extract(epoch FROM clock_timestamp())")
                )
        case Kind.QUEUE:
            async with system.queue() as queue:
                seconds, microseconds = await queue.time()
                return seconds + microseconds / 1e6
        case _:
            # By default each client reads all authorities, and the loop waits for it.
            no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            async with httpx2.AsyncClient(trust_env=False, verify=no_tls) as client:
                answer = await client.get(f"http://{ports.HOST}:{member.port}/health/live")
                return parsedate_to_datetime(answer.headers["date"]).timestamp()
