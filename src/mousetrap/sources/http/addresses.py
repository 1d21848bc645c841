"""Resolves a host once, and tells addresses of the internet from those inside of a network."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

import httpx2

from mousetrap.sources import shortage
from mousetrap.sources.errors import PrivateAddressError, UnreachableError
from mousetrap.sources.http.urls import authority, port

UNICAST: Final = IPv6Network("2000::/3")
"""All that IANA allocates of the global unicast addresses of IPv6 (RFC 4291 section 2.4)."""
NAT64: Final = IPv6Network("64:ff9b::/96")
"""The well-known prefix before an IPv4 address (RFC 6052 section 2.1)."""
IPV4_BITS: Final = 0xFFFF_FFFF

LOOKUPS: Final = 32
"""Lookups at a time, each in a thread."""

_Host = tuple[bytes, int]
_Found = list[tuple[Any, ...]]


class Resolver:
    """Looks up the addresses of hosts, in threads that do nothing else; it must be closed.

    A lookup cannot be cancelled: a silent name server holds a thread until the resolver of this
    machine gives up. Concurrent callers share the lookup of a host, so a host holds one thread at
    most. While all LOOKUPS threads are held, other hosts wait until one is free, or until the
    deadline of their source.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup")
        self._under_way: dict[_Host, Future[_Found]] = {}

    def close(self) -> None:
        """Begin no further lookup; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def resolve(self, url: httpx2.URL, *, allow_private: bool) -> Sequence[str]:
        """Return the addresses of the host of `url` that may be connected to, preferred one first.

        Connect to these addresses, not to the name, which may resolve differently a moment later.
        Addresses that are not global are left out unless `allow_private`. Raises UnreachableError,
        NoFileError, and PrivateAddressError when no other is left.
        """
        found = await self._look_up(url)
        allowed = [it for it in found if allow_private or is_global(it)]
        if not allowed:
            raise _private(url, found)
        return allowed

    async def _look_up(self, url: httpx2.URL) -> Sequence[str]:
        # As bytes, for the URL has encoded the name already.
        host = url.raw_host.strip(b"[]"), port(url)
        lookup = self._under_way.get(host)
        if lookup is None:
            lookup = self._threads.submit(socket.getaddrinfo, *host, type=socket.SOCK_STREAM)
            self._under_way[host] = lookup
            lookup.add_done_callback(lambda _: self._under_way.pop(host, None))
        try:
            # Shielded: whoever asks next joins it rather than take another thread.
            found = await asyncio.shield(asyncio.wrap_future(lookup))
        except (OSError, UnicodeError) as error:
            shortage.check(error)
            raise UnreachableError(
                f"{authority(url)} cannot be found ({error}): check that the url of this source is"
                " right, and that this machine may resolve names"
            ) from error
        return list(dict.fromkeys(str(address[0]) for *_, address in found))


def check_name(url: httpx2.URL, *, allow_private: bool) -> None:
    """Raise PrivateAddressError for a host that is inside of the network by its name alone.

    Such a host is an address that is not global, in any spelling, or a name of loopback (RFC 6761
    section 6.3). Looks nothing up.
    """
    if allow_private:
        return
    host = url.raw_host.strip(b"[]")
    try:
        found = socket.getaddrinfo(host, port(url), flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):  # it is a name
        inside = host.lower().rstrip(b".").rpartition(b".")[2] == b"localhost"
    else:
        inside = not all(is_global(str(address[0])) for *_, address in found)
    if inside:
        raise _private(url, [host.decode("ascii", "replace")])


def is_global(text: str) -> bool:
    """Return whether this is the address of one host on the internet.

    An IPv6 address that stands for an IPv4 address (mapped, NAT64, 6to4) is global if
    that one is. Zones, as in fe80::1%eth0, are for links, and these are not global.
    """
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        embedded = _embedded(address)
        if embedded is None:
            return address in UNICAST and address.is_global and not address.is_multicast
        address = embedded
    return address.is_global and not address.is_multicast


def _private(url: httpx2.URL, found: Sequence[str]) -> PrivateAddressError:
    # Only the log says which: a redirecting server must not learn of addresses in here.
    return PrivateAddressError(
        f"{authority(url)} is not at a public address: set `allow_private = true` for this source"
        " in sources.toml if its feed, and all that it redirects to, may be inside of your network",
        excerpt=f"it is at {', '.join(found)}",
    )


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address in NAT64:
        return IPv4Address(int(address) & IPV4_BITS)
    return address.ipv4_mapped or address.sixtofour
