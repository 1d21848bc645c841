"""`/dashboard/session`: keeps the token of the dashboard in a cookie, which scripts cannot read."""

from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie
from msgspec import Struct

from mousetrap.api.http import authentication
from mousetrap.api.http.scopes import SESSION
from mousetrap.api.services import Injected, Services

Anyone = Request[Any, Any, Any]


class Session(Struct, frozen=True):
    """The caller: without tokens the name is None, and the scopes are all that there are."""

    name: str | None
    scopes: list[str]


@get(SESSION, include_in_schema=False)
async def show(request: Anyone) -> Session:
    """Answer with the caller."""
    return Session(request.auth.name, sorted(request.auth.scopes))


@post(SESSION, status_code=204, include_in_schema=False)
async def log_in(request: Anyone, services: Injected) -> Response[None]:
    """Set the cookie to the token in Authorization, which has been checked already."""
    token = authentication.bearer(request.scope["headers"])
    return Response(None, cookies=[_cookie(request, services, token.decode())] if token else [])


@delete(SESSION, status_code=204, include_in_schema=False)
async def log_out(request: Anyone, services: Injected) -> Response[None]:
    """Delete the cookie."""
    return Response(None, cookies=[_cookie(request, services, "", max_age=0)])


def _cookie(request: Anyone, services: Services, value: str, max_age: int | None = None) -> Cookie:
    """Return a cookie that ends with the browser, for requests from our own pages only."""
    return Cookie(
        key=authentication.COOKIE,
        value=value,
        max_age=max_age,
        path=services.addresses.root or "/",
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="strict",
    )


HANDLERS = (show, log_in, log_out)
