"""`GET /`: the newest summary."""

from typing import Annotated, Any

from litestar import Response, get
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, QueryParameter

from mousetrap.api import conditional
from mousetrap.api.errors import UnknownSourceError
from mousetrap.api.problems import COMMON, responses
from mousetrap.api.schema.summary import NoSummary, Summary
from mousetrap.api.services import Injected

NOT_MODIFIED = {
    304: ResponseSpec(
        None, description="A summary of If-None-Match is the newest", generate_examples=False
    )
}


@get(
    "/",
    summary="The newest summary",
    description="The summary of the newest refresh that succeeded: the one that was requested"
    " last, not the one that finished last. `{}` when there is none yet.",
    response_description="The newest summary, or `{}`",
    operation_id="get_newest_summary",
    tags=["summaries"],
    responses=NOT_MODIFIED | responses(UnknownSourceError, *COMMON),
    response_headers=[
        ResponseHeader(name="ETag", documentation_only=True, description="for If-None-Match")
    ],
)
async def newest(
    services: Injected,
    source: Annotated[
        str | None, QueryParameter(description="a source's name; none for the default source")
    ] = None,
    if_none_match: Annotated[
        str | None, HeaderParameter(name="If-None-Match", description="ETags of known summaries")
    ] = None,
) -> Response[Summary | NoSummary]:
    """Answer with the newest summary of a source."""
    found = await services.newest.of(services.source(source))
    if found.summary is None:
        return Response[Any](found.body)
    headers = {"ETag": found.etag, "Cache-Control": "no-cache"}
    if conditional.matches(if_none_match, found.etag):
        return Response[Any](None, status_code=304, headers=headers)
    return Response[Any](found.body, headers=headers)
