"""Checks the headers of a response before its body is read."""

from collections.abc import Sequence
from typing import Final

import httpx2

from mousetrap.sources.errors import TooLargeError, WrongEncodingError

UNREADABLE: Final = frozenset({"br", "compress", "dcb", "dcz", "deflate", "x-compress", "zstd"})
"""The other content codings of the IANA registry; gzip tells by its magic whether it is there."""


def accept(media_types: Sequence[str]) -> str:
    """Return an Accept header for these types that prefers the first one."""
    first, *others = media_types
    return ", ".join([first, *(f"{other};q=0.9" for other in others), "*/*;q=0.1"])


def check_encoding(headers: httpx2.Headers) -> None:
    """Raise WrongEncodingError for an encoding that was not asked for and cannot be read.

    A token that names no encoding, such as `UTF-8` or `aws-chunked`, means nothing.
    """
    value = headers.get("content-encoding", "")
    if UNREADABLE.intersection(token.strip() for token in value.lower().split(",")):
        raise WrongEncodingError(
            "the answer is encoded with neither gzip nor nothing: tell the operator of the server",
            excerpt=value,
        )


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
