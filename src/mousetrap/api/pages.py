"""Lists in pages: a cursor names the last entry of its page: inserts in between move nothing."""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Final, Literal

import msgspec
from litestar.params import QueryParameter
from msgspec import Meta, Struct

from mousetrap.api.errors import InvalidCursorError

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
