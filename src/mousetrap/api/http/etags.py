"""Conditional requests (RFC 9110 section 13)."""

import hashlib
import re
from typing import Annotated, Any, Final

from litestar import Response
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter

IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(name="If-None-Match", description="the ETags that the caller has cached"),
]
ETAG: Final = ResponseHeader(name="ETag", documentation_only=True)
NOT_MODIFIED: Final = {
    304: ResponseSpec(None, description="The cached copy is valid", generate_examples=False)
}

REVALIDATE: Final = {"Cache-Control": "no-cache"}
"""Caches may store the answer, and must revalidate it before every use."""

IMMUTABLE: Final = {"Cache-Control": "max-age=86400, immutable"}
"""Caches may use the answer for a day without revalidation; the retention may delete it later."""

_TAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
CODINGS: Final = ("br", "deflate", "gzip", "zstd")
_CODING: Final = re.compile(rf'[-;](?:{"|".join(CODINGS)})"\Z')
"""The end of a tag to which a proxy that compresses, such as Apache, has added the coding."""


def tag(content: bytes) -> str:
    """Return the entity tag of a body.

    The tag is weak, because compression may change the bytes.
    """
    return f'W/"{hashlib.sha256(content).hexdigest()[:24]}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Return whether a tag of the caller matches `etag` by weak comparison (section 13.1.2).

    The coding that a proxy has added to a tag does not count: a weak tag stands for all codings.
    """
    if if_none_match is None:
        return False
    if if_none_match == etag:  # nearly always
        return True
    if if_none_match.strip() == "*":
        return True
    ours = etag.removeprefix("W/")
    return any(ours in (it, _CODING.sub('"', it)) for it in _TAG.findall(if_none_match))


def respond(
    content: bytes,
    if_none_match: str | None,
    *,
    media_type: str,
    headers: dict[str, str],
    etag: str | None = None,
) -> Response[Any]:
    """Return an answer with `content`, or 304 if the caller has it.

    `etag` is its tag, where one is known without hashing it.
    """
    etag = etag or tag(content)
    if matches(if_none_match, etag):
        return not_modified(etag, headers)
    return Response(content, media_type=media_type, headers={**headers, "ETag": etag})


def not_modified(etag: str, headers: dict[str, str]) -> Response[Any]:
    """Return an answer of status 304."""
    return Response(b"", status_code=304, headers={**headers, "ETag": etag})
