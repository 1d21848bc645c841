"""HTTP/1.1 of one connection, with the limits that uvicorn's protocol lacks."""

import asyncio
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mousetrap.api.http import problems
from mousetrap.api.http.errors import ApiError, HeadTooLargeError, MalformedHttpError
from mousetrap.api.http.limits import HEADERS, Receive, Scope, Send, refuse

HEAD_LIMIT: Final = 32 * 1024
HEAD_DEADLINE: Final = 10.0
LATE_BODY_LIMIT: Final = 1024 * 1024


class Connection(HttpToolsProtocol):
    """A connection that bounds the size and the time of each request's head.

    The head is the request line and the headers. A body that arrives after the answer is read and
    discarded, because closing earlier could lose the answer; its size is bounded as well.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._head = 0
        self._late_body = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the deadline of the first head."""
        super().connection_made(transport)  # type: ignore[arg-type]  # asyncio calls it with one
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadline."""
        self._cancel_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which itself would buffer a head of any size."""
        super().data_received(data)
        if self._deadline is not None:
            self._head += len(data)
            if self._head > HEAD_LIMIT and not self.transport.is_closing():
                self._end(HeadTooLargeError())

    def on_message_begin(self) -> None:
        """Start the deadline of the next head."""
        super().on_message_begin()
        # An endless answer needs a way to end that does not wait for a slow reader.
        self.scope["state"]["abort"] = self.transport.abort
        self._expect_head()

    def on_headers_complete(self) -> None:
        """Pass the request on, or refuse it."""
        self._cancel_deadline()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        served = self.app
        if size > HEAD_LIMIT:
            self.app = _refuse_head
        try:
            super().on_headers_complete()
        finally:
            self.app = served

    def on_body(self, body: bytes) -> None:
        """Receive a part of the body; close the connection when too much arrives late."""
        if self.cycle.response_complete:
            self._late_body += len(body)
            if self._late_body > LATE_BODY_LIMIT:
                self.transport.close()
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Answer malformed HTTP; `msg` is uvicorn's."""
        self._end(MalformedHttpError(msg))

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._head = 0
            self._deadline = self.loop.call_later(HEAD_DEADLINE, self.transport.close)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self, error: ApiError) -> None:
        headers, body = problems.encode(error)
        status = HTTPStatus(error.status)
        lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
        lines += [name + b": " + value for name, value in (*headers, *HEADERS)]
        lines += [b"connection: close", b"", body]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()


async def _refuse_head(_: Scope, __: Receive, send: Send) -> None:
    await refuse(HeadTooLargeError(headers={"Connection": "close"}), send)
