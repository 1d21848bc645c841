"""The peers of connections, by address."""

import ipaddress
from typing import Final

from mousetrap.settings.errors import SettingsError

IPV6_NETWORK: Final = 64
"""Bits of an IPv6 address that name a peer: the rest belongs to one subscriber (RFC 6177)."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

Client = tuple[str, int] | None
"""The address and the port at the other end, as ASGI has them; None for a Unix socket."""


class Peers:
    """Names the peers that limits count.

    `trusted` has addresses or networks, separated by commas: proxies that connect for many callers.
    Raises SettingsError when one of them is neither.
    """

    def __init__(self, trusted: str = "") -> None:
        try:
            self._trusted = [ipaddress.ip_network(it) for it in trusted.split(",") if it]
        except ValueError as error:
            raise SettingsError(
                f"MOUSETRAP_TRUSTED_PROXIES: {error}; list addresses or networks such as"
                " 10.0.0.7,10.1.0.0/16"
            ) from None

    def of(self, client: Client) -> str | None:
        """Return the name of the peer at an address; None for those that are not limited."""
        if client is None:
            return None
        try:
            address = address_of(client[0])
        except ValueError:
            return client[0]
        if any(address in network for network in self._trusted):
            return None
        return name(address)


def address_of(text: str) -> Address:
    """Return an address, that of IPv4 if it is mapped to IPv6; raises ValueError if it is none."""
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def name(address: Address) -> str:
    """Return the name of the peer that has an address, and perhaps all of its network."""
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address), IPV6_NETWORK), strict=False))
    return str(address)
