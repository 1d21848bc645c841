"""HTTP/1.1 of one connection, with the limits that uvicorn's protocol lacks."""

import asyncio
import re
import socket
from http import HTTPStatus
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from mousetrap.api.http import problems
from mousetrap.api.http.connections import Connections, Slot
from mousetrap.api.http.errors import (
    ApiError,
    BodyTooLargeError,
    HeadTooLargeError,
    MalformedHttpError,
    OverloadedError,
)
from mousetrap.api.http.limits import (
    BODY_LIMIT,
    HEADERS,
    PROBES,
    Application,
    Receive,
    Scope,
    Send,
    refuse,
)

HEAD_LIMIT: Final = 32 * 1024
HEADER_LIMIT: Final = 100
"""Headers of a request: each is an object, which is larger than its bytes."""
HEAD_DEADLINE: Final = 10.0
SPARE_DEADLINE: Final = 2.0
"""Seconds that the head may take on a connection beyond the limit."""
FRAMING_LIMIT: Final = 128 * 1024
"""Bytes of a message after its head that are no body: the framing of chunks, and trailers."""
KEPT_BODY: Final = 4 * BODY_LIMIT
"""Unread bytes of a body that are kept: a body of this size is refused anyway."""
LATE_BODY_LIMIT: Final = 1024 * 1024
PIPELINED: Final = 8
"""Requests that wait for the answers of earlier ones, before the parser waits too."""
SLICE: Final = 1024
"""Bytes that are parsed at a time, because the parser cannot stop within them."""
RECEIVE_BUFFER: Final = 32 * 1024
"""Bytes that the kernel holds of what is not read yet, before it doubles the number."""
UNPARSED_LIMIT: Final = 4 * RECEIVE_BUFFER

_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)
"""The beginning of a target with an authority (RFC 9112 section 3.2.2)."""
_SLASH: Final = b"/"[0]

CLOSE: Final = {"Connection": "close"}
VERSIONS: Final = frozenset({"1.0", "1.1"})
TARGETS: Final = "The target of the request is neither a path nor the URL of a page."
FULL: Final = "The server has too many connections, or your address has: try again."


class Connection(HttpToolsProtocol):
    """A connection that bounds the bytes, the number and the time of its requests.

    The head is the request line and the headers. A body that arrives after the answer is read and
    discarded, because closing earlier could lose the answer; its size is bounded as well.
    """

    def __init__(self, *args: Any, connections: Connections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections = connections
        self._slot = Slot.NONE
        self._deadline: asyncio.TimerHandle | None = None
        self._after_head = False
        self._hosts = 0
        self._body = 0
        self._others = 0
        self._unparsed = b""
        self._ended = False
        self._unstarted: tuple[RequestResponseCycle, Any] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the deadline of the first head, or abort a connection that has no slot."""
        super().connection_made(transport)  # type: ignore[arg-type]  # asyncio calls it with one
        self._slot = self._connections.join(self)
        if self._slot is Slot.NONE:
            self._ended = True
            self.transport.abort()
        else:
            # The loop reads all that has come, however little of it can be parsed now.
            end = self.transport.get_extra_info("socket")
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadline."""
        self._ended = True
        self._unparsed = b""
        self._unstarted = None
        self._connections.leave(self)
        self._cancel_deadline()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data, in slices, for as long as few requests wait for their answers."""
        if len(data) <= SLICE and not (self._ended or self._unparsed or self.pipeline):
            self._parse(data)  # nearly always
            return
        data, self._unparsed = self._unparsed + data, b""
        for start in range(0, len(data), SLICE):
            if self._ended:
                return
            if len(self.pipeline) >= PIPELINED:
                self._wait(data[start:])
                return
            self._parse(data[start : start + SLICE])

    def on_message_begin(self) -> None:
        """Start the deadline of the next head."""
        # Other bytes, such as empty lines, are no reason to keep an idle connection.
        self._unset_keepalive_if_required()
        super().on_message_begin()
        # An endless answer needs a way to end that does not wait for a slow reader.
        self.scope["state"]["abort"] = self.transport.abort
        self._after_head = False
        self._hosts = self._others = 0
        self._expect_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers are none (RFC 9110 section 6.5.1)."""
        if self._after_head or len(self.headers) > HEADER_LIMIT:
            return
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Pass the request on, or refuse it."""
        self._cancel_deadline()
        self._after_head = True
        refusal = self._refusal()
        if refusal is None:
            super().on_headers_complete()
        else:
            served, self.app = self.app, refusal
            try:
                super().on_headers_complete()
            finally:
                self.app = served
        self._body = self._others = 0
        if refusal is not None or self._slot is Slot.SPARE:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Receive a part of the body; close the connection when there is far too much."""
        self._body += len(body)
        self._others -= len(body)
        if self._body > LATE_BODY_LIMIT:
            self._ended = True
            self.transport.close()
        elif self._body <= KEPT_BODY:
            super().on_body(body)

    def on_response_complete(self) -> None:
        """Start the next request, or the idle timer."""
        super().on_response_complete()
        if self._deadline is not None:  # the next request has begun already
            self._unset_keepalive_if_required()
        if self._unparsed and not self.transport.is_closing():
            self.data_received(b"")

    def pause_writing(self) -> None:
        """Stop answers, because the peer does not read them."""
        super().pause_writing()
        self._connections.fill(self)

    def resume_writing(self) -> None:
        """Continue answers."""
        super().resume_writing()
        self._connections.drain(self)
        if self._unstarted is not None:
            (cycle, app), self._unstarted = self._unstarted, None
            super()._start_asgi_task(cycle, app)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # A request in hand could not be answered, and would keep others out.
        if self.flow.write_paused:
            self._unstarted = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def _parse(self, data: bytes) -> None:
        """Feed the parser, which itself would accept a message of any size."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # It is ignored (RFC 9110 section 7.8): the rest is HTTP/1.1.
            if rest := data[upgrade.args[0] :]:
                self._parse(rest)
                return
        except httptools.HttpParserError:
            self._end(MalformedHttpError("Invalid HTTP request received."))
            return
        self._others += len(data)
        if self._deadline is not None:
            if self._others > HEAD_LIMIT:
                self._end(HeadTooLargeError())
        elif self._after_head and self._others > FRAMING_LIMIT:
            self._end(BodyTooLargeError("The chunks or the trailers of the body are too large."))

    def _wait(self, unparsed: bytes) -> None:
        self._unparsed = unparsed
        self.flow.pause_reading()
        if len(unparsed) > UNPARSED_LIMIT:
            self._end(OverloadedError())

    def _refusal(self) -> Application | None:
        """Return the application that refuses the request with this head, None if none does."""
        version = self.parser.get_http_version()
        if len(self.headers) > HEADER_LIMIT or self._is_head_too_large():
            return _Refusal(HeadTooLargeError(headers=CLOSE))
        if version not in VERSIONS:
            return _Refusal(MalformedHttpError("The version is not HTTP/1.0 or HTTP/1.1."))
        if self._hosts > 1 or (self._hosts == 0 and version == "1.1"):
            # RFC 9112 section 3.2
            return _Refusal(MalformedHttpError("The request needs exactly one Host header."))
        if self.url[0] != _SLASH and not self._takes_authority():
            return _Refusal(MalformedHttpError(TARGETS))
        if self._slot is Slot.SPARE and not self.url.startswith(_PROBES):
            return _Refusal(OverloadedError(FULL))
        return None

    def _takes_authority(self) -> bool:
        """Make an absolute target a path, and its authority the Host; False if it is none."""
        absolute = _ABSOLUTE.match(self.url)
        if absolute is None:
            return False
        # In place, for the scope of the request has the list already.
        self.headers[:] = [it for it in self.headers if it[0] != b"host"]
        self.headers.append((b"host", absolute[1]))
        path = self.url[absolute.end() :]
        self.url = path if path[:1] == b"/" else b"/" + path
        return True

    def _is_head_too_large(self) -> bool:
        if self._others <= HEAD_LIMIT - SLICE:
            return False
        fields = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.url) + fields > HEAD_LIMIT

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._others = 0
            seconds = SPARE_DEADLINE if self._slot is Slot.SPARE else HEAD_DEADLINE
            self._deadline = self.loop.call_later(seconds, self._head_overdue)

    def _head_overdue(self) -> None:
        self._deadline = None
        if self.flow.read_paused and not self.transport.is_closing():
            self._expect_head()  # the peer cannot go on
        else:
            self.transport.close()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self, error: ApiError) -> None:
        """Answer with an error and close, or only close when earlier answers are under way."""
        if self.transport.is_closing():
            return
        self._ended = True
        self._unparsed = b""
        self._cancel_deadline()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            own = cycle.more_body and not cycle.response_started and not self.pipeline
            if not own:
                cycle.keep_alive = False
                return
        headers, body = problems.encode(error)
        status = HTTPStatus(error.status)
        lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        lines += [name + b": " + value for name, value in (*headers, *HEADERS)]
        lines += [b"connection: close", b"", body]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()


_PROBES: Final = tuple(path.encode() for path in PROBES)


class _Refusal:
    """The application that answers with one error."""

    def __init__(self, error: ApiError) -> None:
        self._error = error

    async def __call__(self, _: Scope, __: Receive, send: Send) -> None:
        await refuse(self._error, send)
