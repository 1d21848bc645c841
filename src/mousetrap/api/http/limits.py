"""Outer middleware: limits, headers, access log."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from mousetrap.api.http import problems, scopes
from mousetrap.api.http.errors import (
    STOPPING,
    ApiError,
    BodyTooLargeError,
    IncompleteBodyError,
    OverloadedError,
    SlowRequestError,
)
from mousetrap.api.metrics import ApiMetrics
from mousetrap.telemetry import logs
from mousetrap.telemetry.metrics import PATH as METRICS

BODY_LIMIT: Final = 16 * 1024
BODY_DEADLINE: Final = 10.0
MAX_IN_FLIGHT: Final = 256

PROBES: Final = ("/health/", METRICS)
ERRORS: Final = 400
"""The lowest status of an error."""
EVENTS: Final = "/events"
"""The path of the event streams, which have a limit of their own."""

_SAME_ORIGIN: Final = (b"sec-fetch-site", b"same-origin")

HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-cache"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)

# Litestar's types and uvicorn's are incompatible.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logs.logger(__name__)


class Limits:
    """ASGI middleware.

    It reads the whole body, at most `body_limit` bytes within `body_deadline` seconds, before a
    request counts towards `max_in_flight`, so slow callers block nobody. Probes are always
    admitted, and event streams have a limit of their own.
    """

    def __init__(
        self,
        app: Application,
        metrics: ApiMetrics,
        *,
        body_limit: int = BODY_LIMIT,
        body_deadline: float = BODY_DEADLINE,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._overloaded = metrics.refused.labels(OverloadedError.code)
        metrics.in_flight.set_function(lambda: self._in_flight)
        self._body_limit = body_limit
        self._body_deadline = body_deadline
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._log = log.bind()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, scopes.path_of(scope))
        # Pipelined requests inherit the context of the previous one.
        logs.only_about(request_id=answer.request_id)
        try:
            await self._serve(scope, receive, answer)
        except ApiError as error:
            await refuse(error, answer.send)
        except asyncio.CancelledError:
            # The grace of the shutdown is over. uvicorn would answer with status 500.
            if answer.begun:
                raise
            await refuse(OverloadedError(STOPPING), answer.send)
        finally:
            self._record(scope, answer)

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        send: Send = answer.send
        if self._announced(scope) != 0:
            receive = await self._whole(receive)
        if scope["method"] == "HEAD":
            # RFC 9110 section 9.3.2: the same as GET, without the body.
            scope, send = {**scope, "method": "GET"}, _without_body(send)
        counted = answer.path != EVENTS and not answer.path.startswith(PROBES)
        if counted and self._in_flight >= self._max_in_flight:
            self._overloaded.inc()
            raise OverloadedError
        self._in_flight += counted
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= counted
            answer.route = scope.get("path_template")

    def _record(self, scope: Scope, answer: "_Answer") -> None:
        method, seconds = scope["method"], time.perf_counter() - answer.start
        self._metrics.answered(method, answer.route, answer.status, seconds)
        quiet = answer.path.startswith(PROBES) or (answer.status < ERRORS and _of_a_page(scope))
        self._log.log(
            logging.DEBUG if quiet else logging.INFO,
            "request",
            method=method,
            path=scope["raw_path"].decode("ascii", "backslashreplace"),
            status=answer.status,
            duration_ms=round(seconds * 1000, 1),
        )

    def _announced(self, scope: Scope) -> int | None:
        """Return the size of the body, None if it is unknown; raises BodyTooLargeError."""
        found: int | None = 0
        for name, value in scope["headers"]:
            if name == b"transfer-encoding":
                return None
            if name == b"content-length":
                found = int(value) if value.isdigit() else None
        if found is not None and found > self._body_limit:
            raise BodyTooLargeError
        return found

    async def _whole(self, receive: Receive) -> Receive:
        """Read the body, and return a `receive` that replays it."""
        try:
            async with asyncio.timeout(self._body_deadline):
                return _replay(await self._body(receive), receive)
        except TimeoutError:
            raise SlowRequestError(headers={"Connection": "close"}) from None

    async def _body(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise IncompleteBodyError
            body += message["body"]
            if len(body) > self._body_limit:
                raise BodyTooLargeError
            if not message.get("more_body", False):
                return bytes(body)


class _Answer:
    """The `send` of one request: adds the common headers and keeps the facts of the access log."""

    __slots__ = ("_send", "begun", "path", "request_id", "route", "start", "status")

    def __init__(self, send: Send, path: str) -> None:
        self.path = path
        self.request_id = os.urandom(16).hex()
        self.route: str | None = None
        self.begun = False
        self.status = 500
        self.start = time.perf_counter()
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self.status = int(message["status"])
            headers = message["headers"]
            names = {name for name, _ in headers}
            added = [header for header in HEADERS if header[0] not in names]
            message["headers"] = [*headers, (b"x-request-id", self.request_id.encode()), *added]
        await self._send(message)


async def refuse(error: ApiError, send: Send) -> None:
    """Answer with a problem."""
    headers, body = problems.encode(error)
    await send({"type": "http.response.start", "status": int(error.status), "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _without_body(send: Send) -> Send:
    """Return a `send` that drops the body, even an endless one."""
    over = False

    async def sent(message: Message) -> None:
        nonlocal over
        if over:
            return
        if message["type"] == "http.response.body":
            over, message = True, {**message, "body": b"", "more_body": False}
        await send(message)

    return sent


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that returns `body`, then the messages after it."""
    pending = [body]

    async def replayed() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replayed


def _of_a_page(scope: Scope) -> bool:
    """Tell whether a page in a browser asks by itself: a person navigates, or sends."""
    # Others send the mode as well, such as pages of other origins and programs.
    if scope["method"] not in {"GET", "HEAD"} or _SAME_ORIGIN not in scope["headers"]:
        return False
    sent = dict(scope["headers"])
    mode = sent.get(b"sec-fetch-mode", b"navigate")
    return mode != b"navigate" and b"authorization" not in sent
