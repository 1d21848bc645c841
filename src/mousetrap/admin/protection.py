"""Middleware of the admin page: what a browser may do with its answers, and a log of logins."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mousetrap.telemetry import logs

LOGIN: Final = "public/login/"
"""The path of Piccolo's login, below that of the page."""

HEADERS: Final = {
    # The page sets styles of elements; it has no script of its own.
    "content-security-policy": "default-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
REFUSED: Final = 400

log = logs.logger(__name__)


class Protection:
    """ASGI middleware: adds HEADERS, keeps cookies to https where it is used, and logs logins."""

    def __init__(self, app: ASGIApp, *, login: str) -> None:
        self._app = app
        self._login = login

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_login = scope["method"] == "POST" and scope["path"] == self._login
        peer = scope["client"][0] if scope.get("client") else None

        async def protect(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    _secure(message)
                if is_login:
                    _record(peer, message["status"])
            await send(message)

        await self._app(scope, receive, protect)


def _record(peer: str | None, status: int) -> None:
    if status < REFUSED:
        log.info("a person has logged in", peer=peer, status=status)
    else:
        log.warning("a login was refused", peer=peer, status=status)


def _secure(message: Message) -> None:
    """Keep every cookie to https; Piccolo itself would do so always or never."""
    message["headers"] = [
        (name, value + b"; Secure" if _lacks_secure(name, value) else value)
        for name, value in message["headers"]
    ]


def _lacks_secure(name: bytes, value: bytes) -> bool:
    return name.lower() == b"set-cookie" and b"; secure" not in value.lower()
