"""`GET /summaries` beside its yardstick: a bare ASGI application, one query, JSON read and written.

`python -m bench.history`, with the settings of the API, runs the yardstick.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import httpx2
import msgspec

from bench import bare, load, newest, rounds
from bench.errors import LoadError
from bench.load import HOST
from bench.results import BARE, OURS, Requests
from bench.system import Side, System
from mousetrap.api.http.limits import Receive, Scope, Send
from mousetrap.api.schema.summary import Summary, SummaryPage
from mousetrap.settings import process
from mousetrap.settings.process import ApiSettings
from mousetrap.store.summaries import document_of

LIMIT: Final = 50
TARGET: Final = f"/summaries?limit={LIMIT}"
PAGE: Final = "SELECT job_id, sequence, document FROM summary ORDER BY sequence DESC LIMIT $1"
CONNECTIONS: Final = 16
WARM_UP: Final = 0.3

_read: Final = msgspec.json.Decoder(Summary).decode


async def compare(
    system: System, mousetrap: Side, *, count: int, seconds: float
) -> dict[str, list[Requests]]:
    """Measure both sides `count` times, `seconds` each; there must be more than 50 summaries."""
    sides = {OURS: mousetrap, BARE: await system.history()}
    if await _page(sides[BARE]) != await _page(mousetrap):
        raise LoadError("the yardstick's answer differs from the API's: see bench/history.py")
    for side in sides.values():
        await _round(side, WARM_UP)
    return await rounds.alternate(sides, count, lambda side: _round(side, seconds))


async def _round(side: Side, seconds: float) -> Requests:
    return await newest.measure(
        side,
        f"GET {TARGET} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode(),
        status=200,
        connections=CONNECTIONS,
        go_on=load.for_seconds(seconds),
    )


async def _page(side: Side) -> bytes:
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        answer = await client.get(f"http://{HOST}:{side.port}{TARGET}")
    return answer.raise_for_status().content


class History:
    """Answers every request with a page of the newest summaries."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Connect to Postgres."""
        size = self._settings.pool_size
        async with asyncpg.create_pool(
            self._settings.postgres_dsn, min_size=size, max_size=size, reset=_keep
        ) as self._pool:
            yield

    async def answer(self, _: Scope, __: Receive, send: Send) -> None:
        """Answer one request."""
        rows = await self._pool.fetch(PAGE, LIMIT + 1)
        following = f"s{rows[LIMIT - 1]['sequence']:016x}" if len(rows) > LIMIT else None
        documents = (document_of(row["job_id"], row["document"]) for row in rows[:LIMIT])
        page = SummaryPage([_read(document) for document in documents], following)
        body = msgspec.json.encode(page)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


async def _keep(_: object) -> None:
    """Reset nothing: as Mousetrap does."""


if __name__ == "__main__":
    history = History(process.load(ApiSettings, os.environ))
    bare.serve(history.answer, history.open)
