"""Pages of other origins that may call the API from a browser (the Fetch standard, CORS)."""

from typing import Final

from mousetrap.api.http.limits import Application, Message, Receive, Scope, Send

ANY: Final = "*"

EXPOSED: Final = b"ETag, Link, Location, Retry-After, X-Request-ID"
"""What a script may read beside what it always may."""

REQUESTED: Final = b"Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID"
"""What a script may send beside what it always may."""

MAX_AGE: Final = b"7200"
"""Seconds that a browser may keep the answer to a preflight; it keeps none for longer."""


Headers = list[tuple[bytes, bytes]]


class Cors:
    """An ASGI application in front of all the others, so that their errors can be read as well.

    `origins` are separated by commas; `*` stands for all, an empty text for none. There are no
    credentials to be sent along, so none are allowed. A preflight is an OPTIONS request as any
    other: the application's answer to it tells which methods the path takes.
    """

    def __init__(self, app: Application, origins: str) -> None:
        self._app = app
        self._origins = frozenset(filter(None, origins.split(",")))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of the application."""
        if scope["type"] != "http" or not self._origins:
            await self._app(scope, receive, send)
            return
        asked = dict(scope["headers"])
        preflight = scope["method"] == "OPTIONS" and b"access-control-request-method" in asked

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                headers += self._allowance(asked.get(b"origin", b""))
                if preflight:
                    headers += _preflight(dict(headers))
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, answer)

    def _allowance(self, origin: bytes) -> Headers:
        """Return what every answer carries, so that a cache can hand it to pages of any origin."""
        exposed = (b"access-control-expose-headers", EXPOSED)
        if ANY in self._origins:
            return [(b"access-control-allow-origin", b"*"), exposed]
        vary = (b"vary", b"Origin")
        if origin.decode("latin-1") in self._origins:
            return [vary, (b"access-control-allow-origin", origin), exposed]
        return [vary]


def _preflight(headers: dict[bytes, bytes]) -> Headers:
    """Return what else a preflight is told; nothing where there is nothing to call."""
    if b"allow" not in headers:
        return []
    return [
        (b"access-control-allow-methods", headers[b"allow"]),
        (b"access-control-allow-headers", REQUESTED),
        (b"access-control-max-age", MAX_AGE),
    ]
