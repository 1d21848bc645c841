"""The yardstick of `GET /`: a bare ASGI application that sends the same bytes, on the same server.

Run as `python -m bench.bare ANSWER`, with the settings of the API; ANSWER is a file of `save`.
"""

import os
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

import msgspec
from litestar import Litestar

from mousetrap.api.app import Api
from mousetrap.api.http.connections import Connections
from mousetrap.api.http.limits import Application, Receive, Scope, Send
from mousetrap.api.http.peers import Peers
from mousetrap.api.metrics import ApiMetrics
from mousetrap.api.server import create_server
from mousetrap.runtime.supervision import Supervisor
from mousetrap.settings import process
from mousetrap.settings.process import ApiSettings
from mousetrap.telemetry import logs
from mousetrap.telemetry.health import Health


class Answer(msgspec.Struct):
    """An answer, without the `Date` that the server adds."""

    status: int
    headers: list[tuple[str, str]]
    body: str


def save(answer: Answer, path: Path) -> None:
    """Write an answer to a file."""
    path.write_bytes(msgspec.json.encode(answer))


def serve(
    application: Application,
    lifespan: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> None:
    """Serve an application that handles only requests, on the server of the API."""

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await application(scope, receive, send)
            return
        await receive()
        async with lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    settings = process.load(ApiSettings, os.environ)
    logs.configure("bare", form=settings.log_format, level=settings.log_level)
    health = Health({})
    # The server ignores the Litestar in it.
    api = Api(
        asgi,
        Litestar(),
        health,
        Supervisor(health),
        lambda: None,
        Connections(
            ApiMetrics(),
            Peers(settings.trusted_proxies),
            maximum=settings.max_connections,
            per_peer=settings.max_connections_per_peer,
        ),
    )
    create_server(api, settings).run()


def _always(answer: Answer) -> Application:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    start = {"type": "http.response.start", "status": answer.status, "headers": headers}
    body = {"type": "http.response.body", "body": answer.body.encode(), "more_body": False}

    # Another path, for callers who wait until it is ready.
    ready = {**start, "status": 200}

    async def application(scope: Scope, _: Receive, send: Send) -> None:
        await send(start if scope["path"] == "/" else ready)
        await send(body)

    return application


if __name__ == "__main__":
    serve(_always(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Answer)))
