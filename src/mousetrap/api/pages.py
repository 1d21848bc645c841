"""Lists in pages: a cursor names the last entry of its page: inserts in between move nothing."""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import msgspec
from litestar import Request
from litestar.datastructures import ResponseHeader
from litestar.params import QueryParameter
from msgspec import Meta, Struct

from mousetrap.api.errors import InvalidCursorError

FILTERS: Final = frozenset({"limit", "since", "source", "state", "until"})
LINK: Final = ResponseHeader(
    name="Link",
    documentation_only=True,
    description="the `first` page and, unless this is the last, the `next` (RFC 8288)",
)
MAX_SEQUENCE: Final = 2**63 - 1
"""The largest bigint of Postgres."""

Listing = Literal["jobs", "summaries", "dead letters"]
SourceFilter = Annotated[
    str | None,
    QueryParameter(
        max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$", description="only those of this source"
    ),
]
Limit = Annotated[int, QueryParameter(ge=1, le=100, description="the most entries of a page")]
CursorText = Annotated[
    str | None,
    QueryParameter(max_length=200, description="`next` of the page before; none for the first"),
]


class _Cursor(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: Literal[1]
    listing: Listing
    before: Annotated[int, Meta(ge=1, le=MAX_SEQUENCE)]


def encode(listing: Listing, before: int) -> str:
    """Return the cursor of the page that begins right below the sequence number `before`."""
    packed = msgspec.msgpack.encode(_Cursor(1, listing, before))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(listing: Listing, text: str | None) -> int | None:
    """Return the sequence number in a cursor; None stands for the first page.

    Raises InvalidCursorError for everything that `encode` does not return for this list.
    """
    if text is None:
        return None
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        cursor = msgspec.msgpack.decode(packed, type=_Cursor)
    except (binascii.Error, ValueError):
        raise InvalidCursorError from None
    if encode(listing, cursor.before) != text:
        raise InvalidCursorError
    return cursor.before


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
    query = [(name, value) for name, value in request.query_params.multi_items() if name in FILTERS]
    pages = {"first": query}
    if following is not None:
        pages["next"] = [*query, ("cursor", following)]
    targets = {rel: f"{path}?{urlencode(page)}".rstrip("?") for rel, page in pages.items()}
    return {"Link": ", ".join(f'<{target}>; rel="{rel}"' for rel, target in targets.items())}
