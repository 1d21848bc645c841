"""Middleware that compresses bodies with gzip for clients that accept it."""

import asyncio
import re
import zlib
from typing import Final

from mousetrap.api.http import negotiation
from mousetrap.api.http.limits import Application, Message, Receive, Scope, Send

MINIMUM: Final = 1024
"""The minimum size of a compressed body in bytes: smaller ones fit into one packet anyway."""

THREAD_MINIMUM: Final = 64 * 1024
"""The minimum size in bytes of a chunk that is compressed in a thread, off the event loop."""

LEVEL: Final = 4
"""The compression level: the default, 6, is slower and saves little."""

# Event streams are excluded, because compression would buffer and delay events.
_COMPRESSIBLE: Final = re.compile(
    rb"text/(?!event-stream)|application/(?:[\w.-]+\+)?json|application/javascript|image/svg\+xml"
)
_NOT_MODIFIED: Final = 304

Headers = list[tuple[bytes, bytes]]


class Compression:
    """ASGI middleware.

    Litestar's own middleware takes "gzip;q=0" for acceptance, compresses event streams, and omits
    Vary from uncompressed answers.
    """

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of the application."""
        if scope["type"] == "http":
            accepted = negotiation.field(scope["headers"], b"accept-encoding")
            send = _Answer(send, accepted).send
        await self._app(scope, receive, send)


class _Answer:
    """The `send` of one request; it holds back the headers until the first body message."""

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
            headers = varying(start["headers"]) if large else start["headers"]
            if self._gzip is not None:
                headers = _compressed(headers, None if more else len(message["body"]))
            await self._send({**start, "headers": headers})
        await self._send(message)

    async def _begin(self, message: Message) -> None:
        headers = dict(message["headers"])
        if message["status"] == _NOT_MODIFIED:
            # RFC 9110 section 15.4.5: the same Vary as the answer of status 200.
            await self._send({**message, "headers": varying(message["headers"])})
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

    return work() if len(body) < THREAD_MINIMUM else await asyncio.to_thread(work)


def varying(headers: Headers) -> Headers:
    """Return headers that also say that an answer depends on Accept-Encoding."""
    fields = [value for name, value in headers if name == b"vary"]
    others = [header for header in headers if header[0] != b"vary"]
    return [*others, (b"vary", b", ".join([*fields, b"Accept-Encoding"]))]


def _compressed(headers: Headers, length: int | None) -> Headers:
    kept = [
        # Compression changes the bytes, so the tag becomes weak (RFC 9110 section 8.8.1).
        (name, b"W/" + value if name == b"etag" and not value.startswith(b"W/") else value)
        for name, value in headers
        if name != b"content-length"
    ]
    size = [] if length is None else [(b"content-length", str(length).encode())]
    return [*kept, *size, (b"content-encoding", b"gzip")]
