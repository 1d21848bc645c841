"""Bodies compressed with gzip, for those who take it."""

import asyncio
import re
import zlib
from typing import Final

from mousetrap.api.http import negotiation
from mousetrap.api.http.limits import Application, Message, Receive, Scope, Send

MINIMUM: Final = 1024
"""Bytes below which a body is not worth the trouble: it fits into one packet anyway."""

OFF_THE_LOOP: Final = 64 * 1024
"""Bytes from which on the work is given to a thread: 50,000 points are 40 ms of it."""

LEVEL: Final = 4
"""6, the usual one, takes half as long again for 6 % less."""

# Not an event stream, whose events would be held back until there is enough to compress.
_COMPRESSIBLE: Final = re.compile(
    rb"text/(?!event-stream)|application/(?:[\w.-]+\+)?json|application/javascript|image/svg\+xml"
)
_NOT_MODIFIED: Final = 304

Headers = list[tuple[bytes, bytes]]


class Compression:
    """An ASGI application in front of another one.

    Litestar's own takes "gzip;q=0" for a wish, compresses event streams, and leaves out Vary where
    it has not compressed.
    """

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of the application."""
        if scope["type"] == "http":
            accepted = b",".join(v for name, v in scope["headers"] if name == b"accept-encoding")
            send = _Answer(send, accepted.decode("latin-1")).send
        await self._app(scope, receive, send)


class _Answer:
    """The answer on its way out. What it begins with waits for the first part of the body."""

    def __init__(self, send: Send, accepted: str) -> None:
        self._send = send
        self._accepted = accepted
        self._start: Message | None = None
        self._gzip: zlib._Compress | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._begin(message)
            return
        start, self._start = self._start, None
        more, size = message.get("more_body", False), len(message.get("body", b""))
        large = start is not None and (more or size >= MINIMUM)
        if large and negotiation.takes_gzip(self._accepted):
            self._gzip = zlib.compressobj(LEVEL, wbits=zlib.MAX_WBITS | 16)
        if self._gzip is not None:
            message = {**message, "body": await _deflate(self._gzip, message)}
        if start is not None:
            headers = _varying(start["headers"]) if large else start["headers"]
            if self._gzip is not None:
                headers = _compressed(headers, None if more else len(message["body"]))
            await self._send({**start, "headers": headers})
        await self._send(message)

    async def _begin(self, message: Message) -> None:
        headers = dict(message["headers"])
        if message["status"] == _NOT_MODIFIED:
            # RFC 9110 section 15.4.5: as the answer would have that it stands for.
            await self._send({**message, "headers": _varying(message["headers"])})
        elif b"content-encoding" not in headers and _COMPRESSIBLE.match(
            headers.get(b"content-type", b"").lower()
        ):
            self._start = message
        else:
            await self._send(message)


async def _deflate(gzip: "zlib._Compress", message: Message) -> bytes:
    body, more = message.get("body", b""), message.get("more_body", False)

    def work() -> bytes:
        return gzip.compress(body) + (b"" if more else gzip.flush())

    return work() if len(body) < OFF_THE_LOOP else await asyncio.to_thread(work)


def _varying(headers: Headers) -> Headers:
    varying = [value for name, value in headers if name == b"vary"]
    others = [header for header in headers if header[0] != b"vary"]
    return [*others, (b"vary", b", ".join([*varying, b"Accept-Encoding"]))]


def _compressed(headers: Headers, length: int | None) -> Headers:
    kept = [
        # A strong tag is one of these very bytes (RFC 9110 section 8.8.1).
        (name, b"W/" + value if name == b"etag" and not value.startswith(b"W/") else value)
        for name, value in headers
        if name != b"content-length"
    ]
    size = [] if length is None else [(b"content-length", str(length).encode())]
    return [*kept, *size, (b"content-encoding", b"gzip")]
