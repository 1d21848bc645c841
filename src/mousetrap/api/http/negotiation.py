"""What a caller would rather have (RFC 9110 section 12.5): headers with qualities."""

import re
from collections.abc import Sequence
from typing import Final

_MEMBER: Final = re.compile(r"\s*([^\s;,]+)\s*(;[^,]*)?")
_QUALITY: Final = re.compile(
    r";\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.IGNORECASE
)


def qualities(header: str) -> dict[str, float]:
    """Return how welcome each member of a header is, from 0 (not at all) to 1, in lower case.

    Parameters are not looked at, since nothing here is offered with any; what cannot be read is
    as good as not said.
    """
    found = {}
    for member in header.split(","):
        if match := _MEMBER.fullmatch(member):
            weight = _QUALITY.search(match[2] or "")
            found[match[1].lower()] = float(weight[1]) if weight else 1.0
    return found


def media_type(accept: str | None, offered: Sequence[str]) -> str | None:
    """Return the type that the caller would rather have, the first one of equals.

    None means that it wants none of them. The narrowest range that holds a type speaks for it.
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
    """Tell whether the caller would rather have a body compressed with gzip."""
    wanted = qualities(accept_encoding)
    gzip = wanted.get("gzip", wanted.get("x-gzip", wanted.get("*", 0.0)))
    return gzip > 0 and gzip >= wanted.get("identity", 0.0)
