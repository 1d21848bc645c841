"""Lists in pages: a cursor names the last entry of its page: inserts in between move nothing."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from litestar import Request
from litestar.datastructures import ResponseHeader
from litestar.params import QueryParameter

from mousetrap.api.http.errors import InvalidCursorError

FILTERS: Final = frozenset({"limit", "since", "source", "state", "until"})
LINK: Final = ResponseHeader(name="Link", documentation_only=True)
Listing = Literal["jobs", "summaries", "dead letters"]
SourceFilter = Annotated[
    str | None,
    QueryParameter(
        max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$", description="only those of this source"
    ),
]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="the most entries of a page")]


def pattern(listing: Listing) -> str:
    """Return what all cursors of a list look like, and nothing else: its letter and 63 bits."""
    return f"^{listing[0]}[0-7][0-9a-f]{{15}}$"


def cursor(listing: Listing) -> QueryParameter:
    """Return how the query parameter `cursor` of a list is declared; `decode` checks it."""
    return QueryParameter(
        description="`next` of the page before; none for the first",
        schema_extra={"pattern": pattern(listing)},
    )


def encode(listing: Listing, before: int) -> str:
    """Return the cursor of the page that begins right below the sequence number `before`."""
    return f"{listing[0]}{before:016x}"


def decode(listing: Listing, text: str | None) -> int | None:
    """Return the sequence number in a cursor; None stands for the first page.

    Raises InvalidCursorError for everything that `encode` does not return for this list.
    """
    if text is None:
        return None
    if re.fullmatch(pattern(listing), text) is None:
        raise InvalidCursorError
    return int(text[1:], 16)


def cut[T](
    rows: list[T], limit: int, listing: Listing, sequence: Callable[[T], int]
) -> tuple[list[T], str | None]:
    """Return one page and the cursor of the next one.

    `rows` holds up to `limit` + 1 entries: the one too many tells that there is a next page.
    """
    page = rows[:limit]
    return page, encode(listing, sequence(page[-1])) if len(rows) > limit else None


def links(request: Request[Any, Any, Any], following: str | None) -> dict[str, str]:
    """Return the header that leads to the other pages of the list that was asked for."""
    path = request.scope["path_template"]
    query = urlencode(
        [(name, value) for name, value in request.query_params.multi_items() if name in FILTERS]
    )
    first = f'<{path}?{query}>; rel="first"' if query else f'<{path}>; rel="first"'
    if following is None:
        return {"Link": first}
    and_cursor = f"{query}&cursor={following}" if query else f"cursor={following}"
    return {"Link": f'{first}, <{path}?{and_cursor}>; rel="next"'}
