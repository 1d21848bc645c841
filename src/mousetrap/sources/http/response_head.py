"""What the head of an answer says about its body."""

from collections.abc import Sequence
from typing import Final

import httpx2

from mousetrap.sources.errors import (
    TooLargeError,
    WrongCharsetError,
    WrongContentTypeError,
    WrongEncodingError,
)

# Plain file servers give these types, or none, to files that they do not know. The check of the
# type only names a login or error page for what it is; reading the body tells what it holds.
UNSPECIFIC: Final = frozenset({"text/plain", "application/octet-stream"})
CHARSETS: Final = frozenset({"utf-8", "utf8", "us-ascii"})
GZIP: Final = frozenset({"gzip", "x-gzip"})


def accept(media_types: Sequence[str]) -> str:
    """Return the header that asks for one of these types, the first one before the others."""
    first, *others = media_types
    return ", ".join([first, *(f"{other};q=0.9" for other in others), "*/*;q=0.1"])


def check_type(headers: httpx2.Headers, media_types: Sequence[str]) -> None:
    """Check that the body may be of one of these types, in UTF-8.

    Raises WrongContentTypeError or WrongCharsetError.
    """
    value = headers.get("content-type")
    if value is None:
        return
    media_type, *parameters = value.split(";")
    if media_type.strip().lower() not in {*media_types, *UNSPECIFIC}:
        raise WrongContentTypeError(
            f"the answer is {media_type.strip()[:100]!r}, not {' or '.join(media_types)}:"
            " see in a browser what the url of this source shows"
        )
    for parameter in parameters:
        key, _, charset = parameter.partition("=")
        if key.strip().lower() == "charset" and _unquoted(charset) not in CHARSETS:
            raise WrongCharsetError(
                f"the answer is in {charset.strip()[:100]!r}, not in UTF-8:"
                " tell the operator of the server"
            )


def is_gzip(headers: httpx2.Headers) -> bool:
    """Tell whether the body is compressed.

    Raises WrongEncodingError when it is, but not with gzip, once.
    """
    value = headers.get("content-encoding", "identity").strip().lower()
    if value in GZIP:
        return True
    if value != "identity":
        raise WrongEncodingError(
            f"the answer is encoded with {value[:100]!r} where gzip or nothing was asked for:"
            " tell the operator of the server"
        )
    return False


def check_length(headers: httpx2.Headers, max_bytes: int) -> None:
    """Raise TooLargeError when the head already announces more than `max_bytes`."""
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise too_large(max_bytes)


def too_large(max_bytes: int) -> TooLargeError:
    """Return the error for a body, packed or unpacked, of more than `max_bytes`."""
    return TooLargeError(
        f"the answer has more than {max_bytes} bytes: raise max_bytes of this source,"
        " or choose a smaller feed"
    )


def _unquoted(value: str) -> str:
    return value.strip().strip('"').lower()
