"""Checks of Host and Origin, against foreign pages in the browser of somebody who may do more.

A page whose name was rebound to our address still sends that name in Host, and a page of another
origin says so in Origin and Sec-Fetch-Site, which scripts cannot set.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Final

from mousetrap.api.http.errors import BadRequestError, ForeignOriginError, UnknownHostError
from mousetrap.api.http.scopes import SAFE

LONGEST: Final = 300
KNOWN: Final = 100
"""Spellings of Host that need no second look."""

LOOPBACK: Final = ("localhost", ".localhost")

_HOST: Final = re.compile(rb"([\w.~-]+|\[[\da-fA-F:.]+\])(:\d{0,5})?")

Headers = list[tuple[bytes, bytes]]


class Hosts:
    """The names of the API, and the origins whose pages may change something.

    `allowed` are names separated by commas, `*.NAME` for those below one, `*` for all. Names of
    loopback are always allowed, and so are addresses: a browser needs a name to be rebound, and
    probes and scrapers use addresses. `origins` are as for `cors.allow`.
    """

    def __init__(self, allowed: str, origins: str) -> None:
        names = [*filter(None, allowed.lower().split(","))]
        self._every = "*" in names
        self._names = frozenset([LOOPBACK[0], *names])
        self._endings = (LOOPBACK[1], *(it[1:] for it in names if it.startswith("*.")))
        self._origins = frozenset(filter(None, origins.lower().encode().split(b",")))
        self._known: set[bytes] = set()

    def check(self, method: str, headers: Headers) -> None:
        """Raise an ApiError for a request that must not be served.

        It is a BadRequestError, an UnknownHostError or a ForeignOriginError.
        """
        for name, value in headers:
            if name == b"host" and value not in self._known:
                self._check_host(value)
        if method not in SAFE:
            self._check_origin(dict(headers))

    def _check_host(self, host: bytes) -> None:
        if len(host) > LONGEST or not _HOST.fullmatch(host):
            raise BadRequestError("The header Host is no name or address with a port.")
        if not self._allows(host):
            raise UnknownHostError
        if len(self._known) < KNOWN:
            self._known.add(host)

    def _check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        origin = headers.get(b"origin", b"").lower()
        site = headers.get(b"sec-fetch-site", b"")
        if site == b"same-origin" or origin in self._origins or b"*" in self._origins:
            return
        ours = _is_of_host(origin, headers) if origin else site != b"cross-site"
        if not ours:
            raise ForeignOriginError

    def _allows(self, host: bytes) -> bool:
        if self._every:
            return True
        name = host.decode("latin-1").lower()
        if name.startswith("["):
            name = name[1:].partition("]")[0]
        elif name.count(":") == 1:
            name = name.partition(":")[0]
        name = name.removesuffix(".")
        if name in self._names or name.endswith(self._endings):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def is_own(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a request comes from a page of ours, or from no page at all.

    A page of the same site is not ours: cookies are shared with all ports of a host, and SameSite
    lets them through. For a `same-origin` request Host does not count, since a proxy may change it.
    """
    found = dict(headers)
    site, origin = found.get(b"sec-fetch-site", b"none"), found.get(b"origin", b"").lower()
    if site == b"none":
        return not origin or _is_of_host(origin, found)
    return site == b"same-origin"


def _is_of_host(origin: bytes, headers: Mapping[bytes, bytes]) -> bool:
    return origin.partition(b"://")[2] == headers.get(b"host", b"").lower()
