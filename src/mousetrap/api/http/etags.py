"""Conditional requests (RFC 9110 section 13): what the caller has is not sent again."""

import hashlib
import re
from typing import Annotated, Any, Final

from litestar import Response
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter

IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(name="If-None-Match", description="the ETags of what the caller has"),
]
ETAG: Final = ResponseHeader(name="ETag", documentation_only=True)
NOT_MODIFIED: Final = {
    304: ResponseSpec(None, description="The caller has it already", generate_examples=False)
}

REVALIDATE: Final = {"Cache-Control": "no-cache"}
"""A copy may be kept, and is to be asked about before every use."""

IMMUTABLE: Final = {"Cache-Control": "max-age=86400, immutable"}
"""A copy is good for a day, without asking: no longer, since what is old is deleted here."""

_TAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def tag(content: bytes) -> str:
    """Return the entity tag of a body.

    It is weak, for the body may be compressed on its way, which a strong tag would have to tell.
    """
    return f'W/"{hashlib.sha256(content).hexdigest()[:24]}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Tell whether the caller has what `etag` names, compared weakly (section 13.1.2)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag.removeprefix("W/") in _TAG.findall(if_none_match)


def respond(
    content: bytes, if_none_match: str | None, *, media_type: str, headers: dict[str, str]
) -> Response[Any]:
    """Return the answer that holds `content`, or the one that says that the caller has it."""
    etag = tag(content)
    if matches(if_none_match, etag):
        return not_modified(etag, headers)
    return Response(content, media_type=media_type, headers={**headers, "ETag": etag})


def not_modified(etag: str, headers: dict[str, str]) -> Response[Any]:
    """Return the answer that the caller has what `etag` names."""
    return Response(b"", status_code=304, headers={**headers, "ETag": etag})
