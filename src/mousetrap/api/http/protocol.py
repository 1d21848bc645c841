"""HTTP/1.1 of one connection: what uvicorn's protocol leaves without a limit."""

import asyncio
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mousetrap.api.http import problems
from mousetrap.api.http.errors import ApiError, HeadTooLargeError, MalformedHttpError
from mousetrap.api.http.limits import HEADERS, Receive, Scope, Send, refuse

HEAD_LIMIT: Final = 32 * 1024
HEAD_DEADLINE: Final = 10.0
LEFTOVER_LIMIT: Final = 1024 * 1024


class Connection(HttpToolsProtocol):
    """A connection whose requests begin with a head of bounded size that comes in bounded time.

    The head is the first line and the headers. What a caller still sends when it has its answer is
    read and thrown away, for else the answer might not reach it; but not for ever.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._head = 0
        self._leftover = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Expect a first request."""
        super().connection_made(transport)  # type: ignore[arg-type]  # asyncio calls it with one
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget about it."""
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which gathers a header for as long as it goes on."""
        super().data_received(data)
        if self._deadline is not None:
            self._head += len(data)
            if self._head > HEAD_LIMIT and not self.transport.is_closing():
                self._end(HeadTooLargeError())

    def on_message_begin(self) -> None:
        """Expect the rest of the head of this request."""
        super().on_message_begin()
        # An answer without end needs a way to end that does not wait for who reads it.
        self.scope["state"]["abort"] = self.transport.abort
        self._expect_head()

    def on_headers_complete(self) -> None:
        """Hand the request over, or refuse it."""
        self._head_is_here()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        served = self.app
        if size > HEAD_LIMIT:
            self.app = _refuse_head
        try:
            super().on_headers_complete()
        finally:
            self.app = served

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if self.cycle.response_complete:
            self._leftover += len(body)
            if self._leftover > LEFTOVER_LIMIT:
                self.transport.close()
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Answer to what is not HTTP; `msg` is uvicorn's."""
        self._end(MalformedHttpError(msg))

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._head = 0
            self._deadline = self.loop.call_later(HEAD_DEADLINE, self.transport.close)

    def _head_is_here(self) -> None:
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
