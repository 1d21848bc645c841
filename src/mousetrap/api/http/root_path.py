"""The path of the API on its host, below which a reverse proxy may have put it."""

from typing import Any, Final

from litestar import Request, Response

from mousetrap.api.http.limits import Application, Message, Receive, Scope, Send

_PATHS: Final = {b"location": b"/", b"link": b"</"}
"""The headers that hold paths of ours, and how each path begins."""


class RootPath:
    """ASGI middleware, outside of everything: `app` sees requests as if it were at `/`.

    A proxy may remove `root` from the path of a request or leave it there. The answer's Location
    and Link begin with it in either case. The bodies know it by `Services.root_path`.
    """

    def __init__(self, app: Application, root: str) -> None:
        self._app = app
        self._root = root
        self._encoded = root.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if path == self._root or path.startswith(f"{self._root}/"):
            scope = {**scope, "path": path[len(self._root) :] or "/"}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [self._rooted(*it) for it in message["headers"]]}
            await send(message)

        await self._app(scope, receive, answer)

    def _rooted(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        start = _PATHS.get(name.lower())
        if start is None:
            return name, value
        ours = start[:-1] + self._encoded + b"/"
        if name.lower() == b"location":
            return name, ours + value[1:] if value.startswith(start) else value
        return name, value.replace(start, ours)


def under(app: Application, root: str) -> Application:
    """Return `app` below the path `root`; `app` itself if that is empty."""
    return RootPath(app, root) if root else app


async def without_slash(request: Request[Any, Any, Any]) -> Response[None] | None:
    """Redirect from a page's path with a slash at its end, to which its links are not relative."""
    path: bytes = request.scope["raw_path"]
    page = path.rstrip(b"/")
    if page == path:
        return None
    query: bytes = request.scope["query_string"]
    # Relative as well, so it is right wherever a proxy has put the API.
    name = "../" * (len(path) - len(page)) + page.rpartition(b"/")[2].decode("latin-1")
    return redirect(f"{name}?{query.decode('latin-1')}" if query else name)


def redirect(target: str) -> Response[None]:
    """Return the redirect to another address of a page."""
    return Response(None, status_code=307, headers={"Location": target})
