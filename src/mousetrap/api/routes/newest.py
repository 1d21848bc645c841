"""`GET /`: the newest summary."""

from typing import Annotated

from litestar import Response, get
from litestar.params import QueryParameter

from mousetrap.api.http import etags
from mousetrap.api.http.encoded import Encoded
from mousetrap.api.http.errors import UnknownSourceError
from mousetrap.api.http.problems import COMMON, responses
from mousetrap.api.schema.summary import NoSummary, Summary
from mousetrap.api.services import Injected


@get(
    "/",
    summary="The newest summary",
    description="The summary of the newest refresh that succeeded: the one that was requested"
    " last, not the one that finished last. `{}` when there is none yet.",
    response_description="The newest summary, or `{}`",
    operation_id="get_newest_summary",
    tags=["summaries"],
    responses=etags.NOT_MODIFIED | responses(UnknownSourceError, *COMMON),
    response_headers=[etags.ETAG],
)
async def newest(
    services: Injected,
    source: Annotated[
        str | None, QueryParameter(description="a source's name; none for the default source")
    ] = None,
    if_none_match: etags.IfNoneMatch = None,
) -> Response[Summary | NoSummary]:
    """Answer with the newest summary of a source."""
    found = await services.newest.of(services.source(source))
    if found.summary is None:
        return Encoded(found.body, media_type="application/json")
    if etags.matches(if_none_match, found.etag):
        return etags.not_modified(found.etag, etags.REVALIDATE)
    headers = {**etags.REVALIDATE, "ETag": found.etag}
    return Encoded(found.body, media_type="application/json", headers=headers)
