"""Opens connections to Postgres, also through a pooler."""

import asyncio
import secrets
import ssl
from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from mousetrap.settings import addresses
from mousetrap.store import faults
from mousetrap.store.errors import NoPrimaryError, PoolerError
from mousetrap.store.session import NEWER, PINNED
from mousetrap.telemetry import logs

type Connection = asyncpg.Connection[asyncpg.Record]

log = logs.logger(__name__)

# Values of the session; the driver has an array of each only when it has described the statement.
_SETTLE: Final = """
    SELECT pg_backend_pid() AS backend, count(set_config(it.name, it.value, false))
    FROM unnest($1::text[], $2::text[]) AS it (name, value)
"""

NOTICE_DEADLINE: Final = 2.0
"""Seconds that a notice may take through a pooler that keeps sessions."""

LONGEST_ROUND: Final = 10.0
"""The most seconds that several hosts may take together, as those of a migration."""

_REFUSALS: Final = (asyncpg.ProtocolViolationError, asyncpg.FeatureNotSupportedError)
"""Answers of poolers to settings in the first message of a connection."""


class Connector:
    """Opens connections to the address `dsn`, each with `settings` and those of PINNED.

    Postgres gets them in the first message, so that nothing runs without them, and again by a
    statement: a pooler refuses or ignores the former. A pooler has to keep sessions, which is
    checked once; see `connect`. Each step takes at most `deadline` seconds. Several hosts share
    them, so that one which is silent leaves time for the next; the one that was reached last is
    tried first.
    """

    def __init__(
        self, dsn: str, *, name: str, deadline: float, settings: Mapping[str, str]
    ) -> None:
        self._dsn = dsn
        self._deadline = deadline
        self._settings = {**PINNED, **NEWER, "application_name": name, **settings}
        self._announces = True
        self._keeps_sessions = False
        self._reached = ""

    async def connect(self, _: None = None, /, **options: Any) -> Connection:
        """Return a new connection; `options` are further ones of asyncpg's pool, which calls this.

        Raises DsnError, NoPrimaryError if no host accepts writes, PoolerError if a pooler does not
        keep sessions, and errors of the driver.
        """
        # Others may connect meanwhile, and find out the same.
        settings = self._settings
        try:
            return await self._connect(options)
        except asyncpg.UndefinedObjectError:
            if not NEWER.keys() <= settings.keys():
                raise
        self._settings = {name: it for name, it in settings.items() if name not in NEWER}
        return await self._connect(options)

    async def _connect(self, options: Mapping[str, Any]) -> Connection:
        connection = await self._open(options)
        try:
            await self._settle(connection)
        except BaseException as error:
            connection.terminate()
            if faults.lacks_session(error):
                raise PoolerError from error
            raise
        return connection

    async def _open(self, options: Mapping[str, Any]) -> Connection:
        announced = self._announces
        try:
            return await self._try(options)
        except _REFUSALS as error:
            if not announced:
                raise
            refusal = str(error)
        connection = await self._try(options, announces=False)
        if self._announces:
            log.info("a pooler is in front of Postgres", reason=refusal)
        self._announces = False
        return connection

    async def _try(
        self, options: Mapping[str, Any], *, announces: bool | None = None
    ) -> Connection:
        settings = self._settings
        if not (self._announces if announces is None else announces):
            settings = {"application_name": settings["application_name"]}
        try:
            return await self._reach({**options, "server_settings": settings})
        except ValueError as error:
            raise faults.of_address(error) or error from None

    async def _reach(self, options: Mapping[str, Any]) -> Connection:
        """Connect to the first host that can be used; raises the failure of the last one."""
        hosts = addresses.of_each_host(self._dsn)
        patience = self._deadline
        if len(hosts) > 1:
            patience = min(patience, LONGEST_ROUND) / len(hosts)
        failure: Exception = NoPrimaryError()
        for host in sorted(hosts, key=lambda it: it != self._reached):
            dsn, given = addresses.without_ignored(host)
            try:
                connection: Connection = await asyncpg.connect(
                    dsn,
                    ssl=_context(given),
                    timeout=patience,
                    command_timeout=self._deadline,
                    **options,
                )
            except asyncpg.TargetServerAttributeNotMatched:
                failure = NoPrimaryError()
            except (
                OSError,
                asyncpg.CannotConnectNowError,
                asyncpg.PostgresConnectionError,  # it ends the connection without a word
            ) as error:
                failure = error
            else:
                self._reached = host
                return connection
        raise failure

    async def _settle(self, connection: Connection) -> None:
        names, values = list(self._settings), list(self._settings.values())
        settled = await connection.fetchrow(_SETTLE, names, values)
        assert settled is not None  # an aggregate always has a row  # noqa: S101
        # A pooler invents the number that a client is told.
        if not self._keeps_sessions and settled["backend"] != connection.get_server_pid():
            await self._check_session(connection)
            self._keeps_sessions = True

    async def _check_session(self, connection: Connection) -> None:
        """Raise PoolerError unless a notice of another connection arrives.

        A pooler can only pass it on while the session belongs to this connection.
        """
        channel = f"mousetrap_pooler_{secrets.token_hex(8)}"
        heard = asyncio.Event()

        def hear(*_: object) -> None:
            heard.set()

        await connection.add_listener(channel, hear)
        other = await self._try({})
        try:
            await other.execute(f"NOTIFY {channel}")
        finally:
            other.terminate()
        try:
            async with asyncio.timeout(min(NOTICE_DEADLINE, self._deadline / 2)):
                await heard.wait()
        except TimeoutError:
            raise PoolerError from None
        await connection.remove_listener(channel, hear)


def _context(given: Mapping[str, str]) -> ssl.SSLContext | None:
    """Return how to verify the server by the authorities of this machine; None if asyncpg knows.

    asyncpg has no channel binding (RFC 5929), which proves that nobody is between client and
    server. So where that is required, the certificate and the name in it are verified.
    """
    root = given.get("sslrootcert")
    bound = given.get("channel_binding") == "require"
    if root != addresses.SYSTEM and not bound:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if root and root != addresses.SYSTEM:
        context.load_verify_locations(root)
    else:
        context.load_default_certs()
    context.set_alpn_protocols(["postgresql"])
    if certificate := given.get("sslcert"):
        context.load_cert_chain(
            certificate, given.get("sslkey"), password=given.get("sslpassword", "")
        )
    if crl := given.get("sslcrl"):
        context.load_verify_locations(crl)
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
    context.minimum_version = _version(given.get("ssl_min_protocol_version", "TLSv1.2"))
    if maximum := given.get("ssl_max_protocol_version"):
        context.maximum_version = _version(maximum)
    return context


def _version(name: str) -> ssl.TLSVersion:
    return ssl.TLSVersion[name.replace(".", "_")]
