"""Content negotiation (RFC 9110 section 12.5)."""

import re
from collections.abc import Sequence
from typing import Final

_MEMBER: Final = re.compile(r"\s*([^\s;,]+)\s*(;[^,]*)?")
_QUALITY: Final = re.compile(
    r";\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.IGNORECASE
)


def qualities(header: str) -> dict[str, float]:
    """Return the quality of each member of a header, from 0 (unacceptable) to 1, in lower case.

    Other parameters are ignored, because no offer has any. Malformed members are ignored as well.
    """
    found = {}
    for member in header.split(","):
        if match := _MEMBER.fullmatch(member):
            weight = _QUALITY.search(match[2] or "")
            found[match[1].lower()] = float(weight[1]) if weight else 1.0
    return found


def media_type(accept: str | None, offered: Sequence[str]) -> str | None:
    """Return the type with the highest quality, the first one of equals; None if none is accepted.

    The most specific range that matches a type gives its quality.
    """
    wanted = qualities(accept or "")
    if not wanted:
        return offered[0]

    def quality(offer: str) -> float:
        ranges = (offer, offer.partition("/")[0] + "/*", "*/*")
        return next((wanted[name] for name in ranges if name in wanted), 0.0)

    best = max(offered, key=quality)
    return best if quality(best) > 0 else None


def takes_gzip(accept_encoding: str) -> bool:
    """Return whether the caller accepts gzip and does not prefer an uncompressed body."""
    wanted = qualities(accept_encoding)
    gzip = wanted.get("gzip", wanted.get("x-gzip", wanted.get("*", 0.0)))
    return gzip > 0 and gzip >= wanted.get("identity", 0.0)
