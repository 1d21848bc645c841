"""TLS to Postgres: the certificate is verified as the address says."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mousetrap.stack import postgres
from mousetrap.stack.servers import Servers
from mousetrap.store.database import Database
from mousetrap.store.errors import StoreUnavailableError
from support import tls


@pytest.fixture
def socket(servers: Servers) -> Path:
    return servers.sockets / f".s.PGSQL.{postgres.PORT}"


@pytest.fixture
async def port(socket: Path, migrated_dsn: str) -> AsyncIterator[int]:
    assert "/test?" in migrated_dsn
    async with tls.before(socket, asked=True) as found:
        yield found


async def ping(port: int, parameters: str, *, host: str = "localhost") -> None:
    async with Database(f"postgresql://postgres@{host}:{port}/test?{parameters}") as database:
        await database.ping()


@pytest.mark.parametrize(
    "parameters",
    [
        "sslmode=require",
        f"sslmode=verify-ca&sslrootcert={tls.CERTIFICATE}",
        f"sslmode=verify-full&sslrootcert={tls.CERTIFICATE}&connect_timeout=3",
        f"sslmode=verify-full&sslrootcert={tls.CERTIFICATE}&ssl_min_protocol_version=TLSv1.3",
        f"sslmode=require&sslrootcert={tls.CERTIFICATE}&channel_binding=require",
        f"sslrootcert={tls.CERTIFICATE}&channel_binding=require&sslcert={tls.OTHER}",
    ],
)
async def test_a_server_that_is_verified_works(port: int, parameters: str) -> None:
    await ping(port, parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        f"sslmode=verify-full&sslrootcert={tls.OTHER}",
        f"sslmode=verify-ca&sslrootcert={tls.OTHER}",
        "sslrootcert=system",
        "sslmode=require&channel_binding=require",
        "channel_binding=require",
    ],
)
async def test_a_server_of_an_unknown_authority_is_refused(port: int, parameters: str) -> None:
    with pytest.raises(StoreUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        await ping(port, parameters)


@pytest.mark.parametrize("binding", ["", "&channel_binding=require"])
async def test_a_server_of_another_name_is_refused(
    socket: Path, migrated_dsn: str, binding: str
) -> None:
    assert migrated_dsn
    async with tls.before(socket, certificate=tls.OTHER, asked=True) as port:
        await ping(port, f"sslmode=verify-ca&sslrootcert={tls.OTHER}")
        with pytest.raises(StoreUnavailableError, match="Hostname mismatch"):
            await ping(port, f"sslmode=verify-full&sslrootcert={tls.OTHER}{binding}")


async def test_authorities_of_the_machine_are_trusted_if_asked_for(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.CERTIFICATE))

    await ping(port, "sslrootcert=system")
    await ping(port, "sslmode=verify-full&sslrootcert=system&channel_binding=require")
    await ping(port, "sslmode=require&channel_binding=require")


async def test_tls_without_being_asked_for_works(socket: Path, migrated_dsn: str) -> None:
    assert migrated_dsn
    async with tls.before(socket) as port:
        await ping(
            port,
            f"sslmode=verify-full&sslrootcert={tls.CERTIFICATE}&sslnegotiation=direct",
        )
        await ping(
            port,
            f"sslrootcert={tls.CERTIFICATE}&sslnegotiation=direct&channel_binding=require",
        )
