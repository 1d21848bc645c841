"""The headers with which proxies pass on the address and the scheme of a caller."""

from typing import Any, cast

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from mousetrap.api.http.limits import Application


def trust(app: Application, proxies: str) -> Application:
    """Return `app` behind middleware that believes X-Forwarded-For and -Proto of `proxies`.

    `proxies` are valid addresses and networks, separated by commas; an empty string trusts none.
    """
    if not proxies:
        return app
    return cast("Application", ProxyHeadersMiddleware(cast("Any", app), proxies))
