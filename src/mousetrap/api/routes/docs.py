"""`GET /docs`, Swagger UI, which loads nothing from other hosts, and the OpenAPI document."""

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from litestar import Litestar, Request, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.openapi.spec import Server
from litestar.params import PathParameter

from mousetrap import __version__
from mousetrap.api.http import root_path
from mousetrap.api.http.assets import Assets
from mousetrap.api.openapi import document, yaml

ASSETS: Final = Path(__file__).parent.with_name("assets")
PATH: Final = "/docs"
JSON: Final = "application/vnd.oai.openapi+json"
YAML: Final = "application/yaml"
CACHED: Final = {"Cache-Control": "public, max-age=3600"}

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def config(root: str = "") -> OpenAPIConfig:
    """Return the configuration of `/docs` for people and `/docs/openapi.json` for programs.

    `root` is the path of the API on its host.
    """
    return OpenAPIConfig(
        title="Mousetrap",
        version=__version__,
        description=document.introduction(),
        servers=[Server(url=root or "/")],
        render_plugins=[_Page(), _Document()],
        openapi_router=_router(),
    )


class _Page(OpenAPIRenderPlugin):
    def __init__(self) -> None:
        super().__init__(path="/")
        self._html = (ASSETS / "docs.html").read_bytes()

    def render(self, _: Request[Any, Any, Any], __: dict[str, Any]) -> bytes:
        return self._html


class _Document(JsonRenderPlugin):
    def __init__(self) -> None:
        super().__init__(path="/openapi.json")

    def render(self, request: Request[Any, Any, Any], _: dict[str, Any]) -> bytes:
        return _encoded(request.app)[JSON]


def _encoded(app: Litestar) -> dict[str, bytes]:
    known: dict[str, bytes] | None = app.state.get("openapi")
    if known is None:
        found = document.refine(app.openapi_schema.to_schema())
        known = {JSON: msgspec.json.encode(found), YAML: yaml.encode(found)}
        app.state.openapi = known
    return known


@get("/openapi.json", include_in_schema=False)
async def in_json(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer with the OpenAPI document."""
    return Response(_encoded(request.app)[JSON], media_type=JSON, headers=CACHED)


@get("/openapi.yaml", include_in_schema=False)
async def in_yaml(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Answer with the OpenAPI document."""
    return Response(_encoded(request.app)[YAML], media_type=YAML, headers=CACHED)


HANDLERS = (in_json, in_yaml)


def _router() -> Router:
    own = Assets(ASSETS, headers=CACHED)
    swagger_ui = Assets(ASSETS / "swagger-ui", headers=CACHED)

    @get("/assets/{name:str}")
    async def file(
        request: Request[Any, Any, Any], name: Annotated[str, PathParameter()]
    ) -> Response[Any]:
        return await own.answer(name, request)

    @get("/assets/swagger-ui/{name:str}")
    async def library(
        request: Request[Any, Any, Any], name: Annotated[str, PathParameter()]
    ) -> Response[Any]:
        return await swagger_ui.answer(name, request)

    return Router(
        PATH,
        route_handlers=[file, library],
        include_in_schema=False,
        response_headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY},
        before_request=root_path.without_slash,
        after_request=_refuse_html_errors,
    )


async def _refuse_html_errors(response: Response[Any]) -> Response[Any]:
    """Replace Litestar's own page for status 404 below the path of the documentation."""
    if response.status_code == NotFoundException.status_code:
        raise NotFoundException
    return response
