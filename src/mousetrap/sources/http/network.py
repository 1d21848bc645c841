"""How this process reaches other machines: directly or by a proxy, and whom it trusts."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from mousetrap.settings.errors import SettingsError


@dataclass(frozen=True, slots=True, repr=False)
class Network:
    """The URL of a forward proxy, which may have a password, and trust beside the usual one."""

    proxy: str = ""
    tls: ssl.SSLContext | None = None

    def transport(self, *, max_connections: int) -> httpx2.AsyncHTTPTransport:
        """Return a transport that keeps no connection alive, and reads no environment."""
        # Downloads from one source are too rare for connections to be kept.
        return httpx2.AsyncHTTPTransport(
            verify=True if self.tls is None else self.tls,
            trust_env=False,
            limits=httpx2.Limits(max_connections=max_connections, max_keepalive_connections=0),
            proxy=self.proxy or None,
        )


DIRECT: Final = Network()


def network(*, proxy: str, ca_file: str) -> Network:
    """Return the network with a proxy, or none, and further authorities in PEM, or none.

    Raises SettingsError.
    """
    if not ca_file:
        return Network(proxy)
    context = httpx2.create_ssl_context(trust_env=False)
    file = Path(ca_file).absolute()
    try:
        context.load_verify_locations(cafile=file)
    except ssl.SSLError as error:
        raise SettingsError(
            f"MOUSETRAP_CA_FILE: {file} has no certificate in PEM: correct it"
        ) from error
    except OSError as error:
        raise SettingsError(
            f"MOUSETRAP_CA_FILE: {file} cannot be read ({error.strerror}): correct the path"
        ) from error
    return Network(proxy, context)
