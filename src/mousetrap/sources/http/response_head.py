"""Checks the headers of a response before its body is read."""

from collections.abc import Sequence
from typing import Final

import httpx2

from mousetrap.sources.errors import (
    TooLargeError,
    WrongCharsetError,
    WrongContentTypeError,
    WrongEncodingError,
)

# Plain file servers send these types, or none, for unknown files. This check only detects login
# and error pages; the parser decides whether the body is valid.
UNSPECIFIC: Final = frozenset({"text/plain", "application/octet-stream"})
CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})
GZIP: Final = frozenset({"gzip", "x-gzip"})


def accept(media_types: Sequence[str]) -> str:
    """Return an Accept header for these types that prefers the first one."""
    first, *others = media_types
    return ", ".join([first, *(f"{other};q=0.9" for other in others), "*/*;q=0.1"])


def check_type(headers: httpx2.Headers, media_types: Sequence[str]) -> None:
    """Check that the content type is one of these or unspecific, in UTF-8.

    Raises WrongContentTypeError or WrongCharsetError.
    """
    value = headers.get("content-type")
    if value is None:
        return
    media_type, *parameters = value.split(";")
    if media_type.strip().lower() not in {*media_types, *UNSPECIFIC}:
        raise WrongContentTypeError(
            f"the content type of the answer is not {' or '.join(media_types)}:"
            " open the url of this source in a browser",
            excerpt=media_type,
        )
    for parameter in parameters:
        key, _, charset = parameter.partition("=")
        if key.strip().lower() == "charset" and _unquoted(charset) not in CHARSETS:
            raise WrongCharsetError(
                "the answer is not in UTF-8: tell the operator of the server",
                excerpt=charset,
            )


def is_gzip(headers: httpx2.Headers) -> bool:
    """Return whether the body is compressed with gzip.

    Raises WrongEncodingError for any other encoding.
    """
    value = headers.get("content-encoding", "identity").strip().lower()
    if value in GZIP:
        return True
    if value != "identity":
        raise WrongEncodingError(
            "the answer is encoded with neither gzip nor nothing: tell the operator of the server",
            excerpt=value,
        )
    return False


def length(headers: httpx2.Headers) -> int:
    """Return the Content-Length, or 0 when it is not known before the body has arrived."""
    value = headers.get("content-length", "")
    return int(value) if value.isdecimal() else 0


def too_large(max_bytes: int) -> TooLargeError:
    """Return the error for a body of more than `max_bytes`, compressed or not."""
    return TooLargeError(
        f"the answer, with all its pages, has more than {max_bytes} bytes: raise max_bytes of this"
        " source, or choose a smaller feed"
    )


def _unquoted(value: str) -> str:
    return value.strip().strip('"').lower()
