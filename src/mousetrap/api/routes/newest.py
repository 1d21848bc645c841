"""`GET /`: the newest summary, from the route or from a cache in front of it."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.params import QueryParameter

from mousetrap.api.http import compression, etags, negotiation
from mousetrap.api.http.errors import UnknownSourceError
from mousetrap.api.http.limits import Application, Receive, Scope, Send
from mousetrap.api.http.negotiation import GEOJSON, JSON, VARY
from mousetrap.api.http.problems import COMMON, responses
from mousetrap.api.live.summary_cache import Newest, SummaryCache
from mousetrap.api.openapi.operations import operation
from mousetrap.api.schema.geojson import NoSummaryFeature, SummaryFeature
from mousetrap.api.schema.summary import NoSummary, Summary
from mousetrap.api.services import Injected

PATH: Final = "/"
HEADERS: Final = etags.REVALIDATE | VARY

Headers = list[tuple[bytes, bytes]]


@get(
    PATH,
    summary="The newest summary",
    description="The summary of the newest refresh that succeeded: the one that was requested"
    " last, not the one that finished last. `{}` when there is none yet. With"
    " `Accept: application/geo+json` it is a Feature, without a geometry when there is none yet.",
    response_description="The newest summary, or `{}`",
    operation_id="get_newest_summary",
    tags=["summaries"],
    operation_class=operation(offers={GEOJSON: (SummaryFeature, NoSummaryFeature)}),
    responses=etags.NOT_MODIFIED | responses(UnknownSourceError, *COMMON),
    response_headers=[etags.ETAG],
)
async def newest(
    request: Request[Any, Any, Any],
    services: Injected,
    source: Annotated[
        str | None, QueryParameter(description="the name of a source; absent for the default one")
    ] = None,
    if_none_match: etags.IfNoneMatch = None,
) -> Response[Summary | NoSummary]:
    """Answer with the newest summary of a source."""
    found = await services.cache.of(services.source(source))
    if negotiation.chosen(request) == GEOJSON:
        return _feature(found.summary, if_none_match)
    if found.summary is None:
        return Response(NoSummary(), headers=VARY)
    if etags.matches(if_none_match, found.etag):
        return etags.not_modified(found.etag, HEADERS)
    return Response(found.summary, headers={**HEADERS, "ETag": found.etag})


def _feature(summary: Summary | None, if_none_match: str | None) -> Response[Any]:
    if summary is None:
        return Response(NoSummaryFeature(), media_type=GEOJSON, headers=VARY)
    body = msgspec.json.encode(SummaryFeature.of(summary))
    return etags.respond(body, if_none_match, media_type=GEOJSON, headers=HEADERS)


class FromMemory:
    """ASGI middleware that answers `GET /` for the default source from the cache.

    It returns exactly the answer of `newest`. Other requests pass through to `app`, as do those
    whose answer is large enough to compress.
    """

    def __init__(self, app: Application, cache: SummaryCache, source: str) -> None:
        self._app = app
        self._cache = cache
        self._source = source
        self._prepared: _Prepared | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of the application."""
        prepared = self._find(scope)
        if prepared is None:
            await self._app(scope, receive, send)
            return
        scope["path_template"] = PATH  # Litestar's router sets it for the metrics
        known = [value for name, value in scope["headers"] if name == b"if-none-match"]
        found = prepared.newest
        if known and etags.matches(b", ".join(known).decode("latin-1"), found.etag):
            status, headers, body = 304, prepared.not_modified, b""
        else:
            status, headers, body = 200, prepared.headers, found.body
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _find(self, scope: Scope) -> "_Prepared | None":
        if (
            scope["type"] != "http"
            or scope["path"] != PATH
            or scope["method"] != "GET"
            or scope["query_string"]
        ):
            return None
        accept = negotiation.field(scope["headers"], b"accept")
        if negotiation.media_type(accept, (JSON, GEOJSON)) != JSON:
            return None
        newest = self._cache.fresh(self._source)
        if newest is None or newest.summary is None or len(newest.body) >= compression.MINIMUM:
            return None
        if self._prepared is None or self._prepared.newest is not newest:
            self._prepared = _Prepared.of(newest)
        return self._prepared


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A summary with the headers of its answers."""

    newest: Newest
    headers: Headers
    not_modified: Headers

    @classmethod
    def of(cls, newest: Newest) -> "_Prepared":
        common = {**HEADERS, "ETag": newest.etag}
        tagged = [(name.lower().encode(), value.encode()) for name, value in common.items()]
        content = [
            (b"content-type", JSON.encode()),
            (b"content-length", str(len(newest.body)).encode()),
        ]
        return cls(newest, [*tagged, *content], compression.varying(tagged))
