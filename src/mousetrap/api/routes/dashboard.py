"""`GET /dashboard`: the dashboard, which loads nothing from other hosts."""

from pathlib import Path
from typing import Annotated, Any, Final

from litestar import Request, Response, Router, get
from litestar.params import PathParameter

from mousetrap.api.http import root_path
from mousetrap.api.http.assets import Assets
from mousetrap.api.http.etags import REVALIDATE

ASSETS: Final = Path(__file__).parent.with_name("assets") / "dashboard"
LIBRARIES: Final = ASSETS.with_name("map")
PATH: Final = "/dashboard"
PAGE: Final = "index.html"

BUNDLES: Final = {
    "libraries.js": tuple(
        f"{name}.min.js"
        for name in (
            *("d3-array", "d3-geo", "d3-dispatch", "d3-selection", "d3-color", "d3-interpolate"),
            *("d3-timer", "d3-ease", "d3-transition", "d3-drag", "d3-zoom", "topojson-client"),
        )
    )
}
"""One script of all libraries, each after those that it needs: a browser asks for six at a time."""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def router() -> Router:
    """Return the router of the page and its files.

    Browsers revalidate every file, because modules of two versions are incompatible.
    """
    assets = Assets(ASSETS, headers=REVALIDATE)
    libraries = Assets(LIBRARIES, headers=REVALIDATE, bundles=BUNDLES)

    @get("/")
    async def page(request: Request[Any, Any, Any]) -> Response[Any]:
        return await assets.answer(PAGE, request)

    @get("/{name:str}")
    async def file(
        request: Request[Any, Any, Any], name: Annotated[str, PathParameter()]
    ) -> Response[Any]:
        if name == PAGE:
            return root_path.redirect(f"..{PATH}")  # where its links lead
        return await assets.answer(name, request)

    @get("/map/{name:str}")
    async def library(
        request: Request[Any, Any, Any], name: Annotated[str, PathParameter()]
    ) -> Response[Any]:
        return await libraries.answer(name, request)

    return Router(
        PATH,
        route_handlers=[page, file, library],
        include_in_schema=False,
        response_headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY},
        before_request=root_path.without_slash,
    )
