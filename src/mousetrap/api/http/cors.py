"""Pages of other origins that may call the API from a browser (the Fetch standard, CORS)."""

from typing import Any, Final, cast

from starlette.middleware.cors import CORSMiddleware

from mousetrap.api.http.limits import Application

METHODS: Final = ("GET", "HEAD", "POST")

EXPOSED: Final = ("ETag", "Link", "Location", "Retry-After", "X-Request-ID")
"""Response headers that a script may read beside those that it always may."""

REQUESTED: Final = ("Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID")
"""Request headers that a script may send beside those that it always may."""

MAX_AGE: Final = 7200
"""Seconds that a browser may keep the answer to a preflight; no browser keeps it longer."""


def allow(app: Application, origins: str) -> Application:
    """Return an application whose answers pages of `origins` may read, also its refusals.

    `origins` are separated by commas; `*` stands for all, an empty text for none. Credentials are
    not allowed, for there are none. Preflights are answered here.
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
