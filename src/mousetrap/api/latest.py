"""`GET /`: the newest summary."""

from typing import Annotated

from litestar import Response, get
from litestar.params import QueryParameter

from mousetrap.api import conditional
from mousetrap.api.encoded import Encoded
from mousetrap.api.errors import UnknownSourceError
from mousetrap.api.problems import COMMON, responses
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
    responses=conditional.NOT_MODIFIED | responses(UnknownSourceError, *COMMON),
    response_headers=[conditional.ETAG],
)
async def newest(
    services: Injected,
    source: Annotated[
        str | None, QueryParameter(description="a source's name; none for the default source")
    ] = None,
    if_none_match: conditional.IfNoneMatch = None,
) -> Response[Summary | NoSummary]:
    """Answer with the newest summary of a source."""
    found = await services.newest.of(services.source(source))
    if found.summary is None:
        return Encoded(found.body, media_type="application/json")
    if conditional.matches(if_none_match, found.etag):
        return conditional.not_modified(found.etag, conditional.REVALIDATE)
    headers = {**conditional.REVALIDATE, "ETag": found.etag}
    return Encoded(found.body, media_type="application/json", headers=headers)
