"""Content negotiation (RFC 9110 section 12.5), which is the same for every operation.

An operation offers the media types that the OpenAPI document lists for its answer. The caller gets
the one that it prefers, the first one of equals, and a problem that lists them if it accepts none.
Problems, and the files of `/docs` and `/dashboard`, have one form each, whatever is accepted.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from litestar import MediaType, Request
from litestar.handlers import HTTPRouteHandler

from mousetrap.api.http.errors import NotAcceptableError

JSON: Final = "application/json"
GEOJSON: Final = "application/geo+json"
VARY: Final = {"Vary": "Accept"}
"""The header of answers that have several forms."""

Headers = Iterable[tuple[bytes, bytes]]

_MEMBER: Final = re.compile(r"\s*([^\s;,]+)\s*(;[^,]*)?")
_QUALITY: Final = re.compile(
    r";\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|$)", re.IGNORECASE
)


async def negotiate(request: Request[Any, Any, Any]) -> None:
    """Choose the media type of the answer; raises NotAcceptableError before anything is done."""
    handler = request.route_handler
    if "OPTIONS" in handler.http_methods:
        return
    offered = _offered(handler)
    found = media_type(field(request.scope["headers"], b"accept"), offered)
    if found is None:
        raise NotAcceptableError(
            f"No media type in Accept is available: accept {' or '.join(offered)}.", headers=VARY
        )
    request.state.media_type = found


def field(headers: Headers, wanted: bytes) -> str:
    """Return the value of a header that is a list, of all its lines; "" if there is none."""
    return b",".join([value for name, value in headers if name == wanted]).decode("latin-1")


def chosen(request: Request[Any, Any, Any]) -> str:
    """Return the media type that `negotiate` has chosen."""
    found: str = request.state.media_type
    return found


@lru_cache(maxsize=256)
def _offered(handler: HTTPRouteHandler) -> tuple[str, ...]:
    declared = handler.media_type or JSON  # "" for a handler that makes its answer itself
    first = declared.value if isinstance(declared, MediaType) else declared
    # The others are those of openapi.operations.
    return (first.partition(";")[0], *getattr(handler.operation_class, "offers", ()))


def qualities(header: str) -> dict[str, float]:
    """Return the quality of each member of a header, from 0 (unacceptable) to 1, in lower case.

    Other parameters are ignored, because no offer has any; of members that then are the same the
    highest quality counts. Malformed members are ignored as well.
    """
    found: dict[str, float] = {}
    for member in header.split(","):
        if match := _MEMBER.fullmatch(member):
            weight = _QUALITY.search(match[2] or "")
            name, quality = match[1].lower(), float(weight[1]) if weight else 1.0
            found[name] = max(found.get(name, 0.0), quality)
    return found


def media_type(accept: str, offered: Sequence[str]) -> str | None:
    """Return the type with the highest quality, the first one of equals; None if none is accepted.

    The most specific range that matches a type gives its quality.
    """
    if accept in ("", "*/*"):  # nearly always
        return offered[0]
    wanted = qualities(accept)
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
