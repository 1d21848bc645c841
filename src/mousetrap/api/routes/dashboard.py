"""`GET /dashboard`: the dashboard, which loads nothing from other hosts."""

from pathlib import Path
from typing import Annotated, Final

from litestar import Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from mousetrap.api.http import etags
from mousetrap.api.http.etags import REVALIDATE, IfNoneMatch

ASSETS: Final = Path(__file__).parent.with_name("assets") / "dashboard"
PATH: Final = "/dashboard"
PAGE: Final = "index.html"

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".geojson": "application/geo+json",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


def router() -> Router:
    """Return the router of the page and its files, which are read now.

    Browsers revalidate every file, because modules of two versions are incompatible.
    """
    assets = {
        path.name: (path.read_bytes(), MEDIA_TYPES[path.suffix])
        for path in ASSETS.iterdir()
        if path.suffix in MEDIA_TYPES
    }

    @get("/")
    async def page(if_none_match: IfNoneMatch = None) -> Response[bytes]:
        return answer(PAGE, if_none_match)

    @get("/{name:str}")
    async def file(
        name: Annotated[str, PathParameter()], if_none_match: IfNoneMatch = None
    ) -> Response[bytes]:
        return answer(name, if_none_match)

    def answer(name: str, if_none_match: str | None) -> Response[bytes]:
        if name not in assets:
            raise NotFoundException
        content, media_type = assets[name]
        return etags.respond(content, if_none_match, media_type=media_type, headers=REVALIDATE)

    return Router(
        PATH,
        route_handlers=[page, file],
        include_in_schema=False,
        response_headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY},
    )
