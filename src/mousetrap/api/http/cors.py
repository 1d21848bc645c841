"""Cross-origin requests from browsers (the Fetch standard, CORS)."""

from typing import Any, Final, cast

from starlette.middleware.cors import CORSMiddleware

from mousetrap.api.http.limits import Application

METHODS: Final = ("GET", "HEAD", "POST")

EXPOSED: Final = ("ETag", "Link", "Location", "Retry-After", "X-Request-ID")
"""Response headers exposed to scripts."""

REQUESTED: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
)
"""Request headers that scripts may send."""

MAX_AGE: Final = 7200
"""Seconds that browsers may cache a preflight: the maximum that they honour."""


def allow(app: Application, origins: str) -> Application:
    """Return `app` behind middleware that lets pages of `origins` read all answers and errors.

    `origins` are separated by commas; `*` means all, an empty string none. Such a page sends
    a token of its own; the cookie of the dashboard does not count there. The middleware answers
    preflights.
    """
    if not origins:
        return app
    middleware = CORSMiddleware(
        cast("Any", app),
        allow_origins=[*filter(None, origins.split(","))],
        allow_methods=METHODS,
        allow_headers=REQUESTED,
        expose_headers=EXPOSED,
        max_age=MAX_AGE,
    )
    return cast("Application", middleware)
