"""Pages of lists. A cursor names the last entry of its page, so inserts shift nothing."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import msgspec
from litestar import Request
from litestar.datastructures import ResponseHeader
from litestar.params import QueryParameter

from mousetrap.api.http.errors import InvalidCursorError, InvalidRequestError
from mousetrap.api.schema.problem import Flaw

LINK: Final = ResponseHeader(name="Link", documentation_only=True)
Listing = Literal["jobs", "summaries", "dead letters"]
SourceFilter = Annotated[str | None, QueryParameter(description="only those of this source")]
Since = Annotated[
    str | None,
    QueryParameter(format="date-time", description="requested at this time (RFC 3339) or later"),
]
Until = Annotated[
    str | None,
    QueryParameter(format="date-time", description="requested before this time (RFC 3339)"),
]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="the maximum entries of a page")]


def instant(name: str, text: str | None) -> datetime | None:
    """Return the time of a query parameter, in UTC; raises InvalidRequestError.

    A `datetime` parameter would not do: Litestar accepts "null" as absent and numbers as seconds.
    """
    if text is None:
        return None
    with suppress(msgspec.ValidationError, OverflowError):
        found = msgspec.convert(text, datetime)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    flaw = Flaw(
        name,
        "query",
        "Expected a time in the years 1 to 9999 with an offset: 2026-11-23T20:00:00Z",
    )
    raise InvalidRequestError(flaws=(flaw,))


def pattern(listing: Listing) -> str:
    """Return the pattern of a list's cursors: the letter of the list and 63 bits."""
    return f"^{listing[0]}[0-7][0-9a-f]{{15}}$"


def cursor(listing: Listing) -> QueryParameter:
    """Return the declaration of a list's query parameter `cursor`; `decode` validates it."""
    return QueryParameter(
        description="`next` of the previous page; absent for the first one",
        schema_extra={"pattern": pattern(listing)},
    )


def encode(listing: Listing, before: int) -> str:
    """Return the cursor of the page that begins just below the sequence number `before`."""
    return f"{listing[0]}{before:016x}"


def decode(listing: Listing, text: str | None) -> int | None:
    """Return the sequence number in a cursor; None means the first page.

    Raises InvalidCursorError for any text that `encode` does not return for this list.
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

    `rows` contains up to `limit` + 1 entries; the extra one proves that there is a next page.
    """
    page = rows[:limit]
    return page, encode(listing, sequence(page[-1])) if len(rows) > limit else None


def links(request: Request[Any, Any, Any], following: str | None) -> dict[str, str]:
    """Return the Link header with the first and the next page of the requested list."""
    path = request.scope["path_template"]
    query = urlencode(
        [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    )
    first = f'<{path}?{query}>; rel="first"' if query else f'<{path}>; rel="first"'
    if following is None:
        return {"Link": first}
    and_cursor = f"{query}&cursor={following}" if query else f"cursor={following}"
    return {"Link": f'{first}, <{path}?{and_cursor}>; rel="next"'}
