"""Answers whose body is bytes already."""

from typing import Any, cast

from litestar import Request, Response
from litestar.response.base import ASGIResponse
from litestar.status_codes import HTTP_304_NOT_MODIFIED

from mousetrap.api.http.limits import Receive, Scope, Send


class Encoded(Response[Any]):
    """An answer of these bytes, of this type; of status 304 it has neither.

    Litestar's own answer reads all headers anew for each one that it adds, and prepares for
    cookies and background tasks: a third of all that it does for a request.
    """

    def to_asgi_response(
        self,
        app: Any,  # noqa: ARG002 - as Litestar calls it
        request: Request[Any, Any, Any],  # noqa: ARG002
        *,
        headers: dict[str, str] | None = None,
        status_code: int | None = None,
        **_: Any,
    ) -> ASGIResponse:
        """Return what sends it; the arguments are what the handler and its router declare."""
        status, body = self.status_code or status_code, self.content
        found = {**(headers or {}), **self.headers}
        if status != HTTP_304_NOT_MODIFIED:
            found |= {"content-type": self.media_type, "content-length": str(len(body))}
        lines = [(name.lower().encode(), value.encode()) for name, value in found.items()]

        async def answer(_: Scope, __: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": status, "headers": lines})
            await send({"type": "http.response.body", "body": body, "more_body": False})

        return cast("ASGIResponse", answer)
