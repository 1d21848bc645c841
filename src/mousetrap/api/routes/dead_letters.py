"""`GET /dead-letters`."""

from operator import attrgetter
from typing import Annotated, Any

from litestar import Request, Response, get

from mousetrap.api.http import paging
from mousetrap.api.http.errors import InvalidCursorError
from mousetrap.api.http.problems import COMMON, responses
from mousetrap.api.schema.dead_letter import DeadLetter, DeadLetterPage
from mousetrap.api.services import Injected


@get(
    "/dead-letters",
    summary="Dead letters, newest first",
    description="Messages between the processes that were unreadable, or that ended their workers."
    " In normal operation there are none.",
    response_description="A page of dead letters",
    operation_id="list_dead_letters",
    tags=["jobs"],
    responses=responses(InvalidCursorError, *COMMON),
    response_headers=[paging.LINK],
)
async def index(
    request: Request[Any, Any, Any],
    services: Injected,
    cursor: Annotated[str | None, paging.cursor("dead letters")] = None,
    limit: paging.Limit = 20,
) -> Response[DeadLetterPage]:
    """Answer with one page of dead letters."""
    before = paging.decode("dead letters", cursor)
    rows = await services.database.dead_letters.page(before=before, limit=limit + 1)
    page, following = paging.cut(rows, limit, "dead letters", attrgetter("id"))
    body = DeadLetterPage([DeadLetter.of(stored) for stored in page], following)
    return Response(body, headers=paging.links(request, following))
