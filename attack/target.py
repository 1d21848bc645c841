"""The system under attack, as callers from different addresses see it."""

import contextlib
import ipaddress
import itertools
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from attack import wire
from attack.errors import AttackError, NotTriedError
from attack.wire import Answer

if TYPE_CHECKING:
    from attack.system import System

LIVES_WITHIN: Final = 5.0


def _addresses() -> Iterator[str]:
    """Yield loopback addresses: each attacker is a peer of its own (RFC 1122 section 3.2.1.3)."""
    for number in itertools.count(1):
        yield str(ipaddress.IPv4Address("127.16.0.0") + number % 2**19)


@dataclass(slots=True)
class Target:
    """An API on `host` and `port`; `own` is the whole system if this program started it.

    `token` is sent by callers who are allowed in; empty if the system is open.
    """

    host: str
    port: int
    token: str = ""
    own: "System | None" = None
    _peers: Iterator[str] = field(default_factory=_addresses)

    @property
    def system(self) -> "System":
        """The whole system; raises NotTriedError if it is somebody else's."""
        if self.own is None:
            raise NotTriedError("it needs a system of its own: leave out --url")
        return self.own

    def peer(self) -> str | None:
        """Return the address of another attacker; None where the system chooses it."""
        return next(self._peers) if self.host.startswith("127.") else None

    def connected(
        self, *, source: str | None = None, window: int | None = None
    ) -> contextlib.AbstractAsyncContextManager[wire.Wire]:
        """Connect, from an address of its own unless `source` is given."""
        return wire.connected(self.host, self.port, source=source or self.peer(), window=window)

    def request(
        self,
        line: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        token: str | None = None,
        keep: bool = False,
    ) -> bytes:
        """Return a well-formed request; a header of the caller replaces one of ours."""
        given = {
            "Host": f"{self.host}:{self.port}",
            "Connection": "keep-alive" if keep else "close",
        }
        if token := self.token if token is None else token:
            given["Authorization"] = f"Bearer {token}"
        if body or line.startswith("POST"):
            given |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        given |= headers or {}
        lines = [f"{line} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body

    async def ask(  # noqa: PLR0913 - one for each part of a request
        self,
        line: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        token: str | None = None,
        source: str | None = None,
        seconds: float = 10.0,
    ) -> Answer:
        """Send a well-formed request on a connection of its own and return the answer."""
        return await self.exchange(
            self.request(line, headers, body, token=token), source=source, seconds=seconds
        )

    async def exchange(
        self, data: bytes, *, source: str | None = None, seconds: float = 3.0
    ) -> Answer:
        """Send bytes on a connection of their own; return all that is answered in time."""
        async with self.connected(source=source) as connection:
            await connection.send(data)
            return await connection.receive(seconds=seconds)

    async def lives(self) -> bool:
        """Tell whether a stranger is answered in time."""
        with contextlib.suppress(OSError, TimeoutError):
            answer = await self.ask("GET /health/live", seconds=LIVES_WITHIN)
            return answer.status == 200
        return False


def at(url: str, *, token: str, mine: bool) -> Target:
    """Return the target at a URL; raises AttackError unless it is on loopback or `mine`."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port or 80
    except ValueError as error:
        raise AttackError(f"{url} is no URL: use http://HOST:PORT") from error
    if parts.scheme != "http" or not host or parts.path.strip("/"):
        raise AttackError(f"{url} cannot be attacked: use http://HOST:PORT")
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        raise AttackError(f"{host} has no address ({error}): check --url") from error
    if not ipaddress.ip_address(address).is_loopback and not mine:
        raise AttackError(
            f"{host} is not this machine: attack only a system that is yours, and say so with"
            " --this-system-is-mine"
        )
    return Target(str(address), port, token=token)
