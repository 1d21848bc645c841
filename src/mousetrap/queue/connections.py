"""Pools of connections to Redis or Valkey, also to the primary that Sentinels name."""

import weakref
from typing import Any, Final, override
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

SENTINEL_PORT: Final = 26379

type _Arguments = dict[str, Any]


def pool(url: str, *, connections: int, deadline: float) -> BlockingConnectionPool:
    """Return a pool for an address of the settings; it connects when it is first used.

    It has at most so many `connections`, and waits up to `deadline` seconds for the server to take
    one. Each call needs a deadline of its own: a step of it, such as a read, has none.
    """
    limits: _Arguments = {
        "max_connections": connections,
        "timeout": None,
        "socket_timeout": None,
        "socket_connect_timeout": deadline,
    }
    scheme, plus, _ = urlsplit(url).scheme.partition("+")
    if not plus:
        return BlockingConnectionPool.from_url(url, **limits)
    return _PrimaryPool(url, scheme, limits)


class _PrimaryPool(BlockingConnectionPool):
    """Asks the Sentinels for the primary whenever it connects.

    redis-py's own pool for that does not wait for a free connection, and its error does not tell
    what the Sentinels said. Its connections use what has no underscore.
    """

    is_master = True
    check_connection = False

    def __init__(self, url: str, scheme: str, limits: _Arguments) -> None:
        parts = urlsplit(url)
        login, at, netloc = parts.netloc.rpartition("@")
        given = dict(parse_qsl(parts.query))
        own = {it: given.pop(f"sentinel_{it}", None) for it in ("username", "password")}
        plain = parts._replace(
            scheme=scheme, netloc=f"{login}{at}primary", path="", query=urlencode(given)
        )
        arguments: _Arguments = dict(parse_url(plain.geturl()))
        del arguments["host"]
        tls = arguments.pop("connection_class", None) is SSLConnection
        hosts = netloc.split(",")
        patience = limits["socket_connect_timeout"] / (len(hosts) + 1)
        asking: _Arguments = {
            **{name: it for name, it in arguments.items() if name.startswith("ssl_")},
            **own,
            "ssl": tls,
            "retry": Retry(NoBackoff(), 0),  # the next one is asked instead
            "socket_timeout": patience,
            "socket_connect_timeout": patience,
        }
        self._sentinels = {it: Redis(**_address(it), **asking) for it in hosts}
        self._name = unquote(parts.path[1:])
        self._primary: tuple[str, int] | None = None
        super().__init__(
            connection_class=SentinelManagedSSLConnection if tls else SentinelManagedConnection,
            **limits,
            **arguments,
        )
        self.connection_kwargs["connection_pool"] = weakref.proxy(self)

    async def get_master_address(self) -> tuple[str, int]:
        """Return the address of the primary; raises MasterNotFoundError."""
        primary = await self._discover()
        if primary != self._primary:
            self._primary = primary
            # The one before may still answer those who only read.
            await super().disconnect(inuse_connections=False)
        return primary

    async def _discover(self) -> tuple[str, int]:
        failures = []
        for host, sentinel in list(self._sentinels.items()):
            try:
                state: Any = await sentinel.sentinel_master(self._name)
            except (RedisError, OSError) as error:
                failures.append(f"{host}: {error}")
            else:
                if state["is_master"] and not (state["is_sdown"] or state["is_odown"]):
                    return state["ip"], state["port"]
                failures.append(f"{host}: the primary is lost, and not replaced yet")
            # Those that know nothing are asked last.
            self._sentinels[host] = self._sentinels.pop(host)
        raise MasterNotFoundError(
            f"no Sentinel names a primary {self._name!r}; {'; '.join(failures)}"
        )

    @override
    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close all connections, also those to the Sentinels."""
        await super().disconnect(inuse_connections)
        for sentinel in self._sentinels.values():
            await sentinel.aclose()


def _address(host: str) -> _Arguments:
    parts = urlsplit(f"//{host}")
    return {"host": parts.hostname, "port": parts.port or SENTINEL_PORT}
