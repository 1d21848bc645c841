"""TLS to Valkey: the certificate is verified unless the address says otherwise."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.broker import StreamBroker
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.inspector import Inspector
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.stages import FETCH
from support import tls

TRUSTED = f"ssl_ca_certs={tls.CERTIFICATE}"


@pytest.fixture
def socket(redis_url: str) -> Path:
    return Path(unquote(urlsplit(redis_url).path))


@pytest.fixture
async def port(socket: Path) -> AsyncIterator[int]:
    async with tls.before(socket) as found:
        yield found


async def ping(port: int, parameters: str) -> None:
    async with Publisher(f"rediss://localhost:{port}?{parameters}") as publisher:
        await publisher.ping()


async def test_messages_go_by_tls(port: int, redis_url: str) -> None:
    [number] = parse_qs(urlsplit(redis_url).query)["db"]
    url = f"rediss://localhost:{port}/{number}?{TRUSTED}"
    request = FetchRequested(uuid.uuid4(), "demo", attempt=1)
    async with (
        Publisher(url) as publisher,
        Inspector(url) as inspector,
        StreamBroker(url, FETCH, consumer="worker") as broker,
    ):
        await broker.ping()
        await publisher.send(request)
        delivery = await anext(broker.listen())
        assert delivery.job_id == request.job_id
        depths = await inspector.depths(silence=10.0)
    assert depths


@pytest.mark.parametrize(
    "parameters",
    [TRUSTED, f"{TRUSTED}&ssl_check_hostname=true", "ssl_cert_reqs=none", f"{TRUSTED}&db=3"],
)
async def test_a_server_that_is_verified_works(port: int, parameters: str) -> None:
    await ping(port, parameters)


@pytest.mark.parametrize("parameters", ["", f"ssl_ca_certs={tls.OTHER}", "ssl_cert_reqs=required"])
async def test_a_server_of_an_unknown_authority_is_refused(port: int, parameters: str) -> None:
    with pytest.raises(QueueUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        await ping(port, parameters)


async def test_a_server_of_another_name_is_refused_unless_names_are_not_checked(
    socket: Path,
) -> None:
    async with tls.before(socket, certificate=tls.OTHER) as port:
        with pytest.raises(QueueUnavailableError, match="Hostname mismatch"):
            await ping(port, f"ssl_ca_certs={tls.OTHER}")
        await ping(port, f"ssl_ca_certs={tls.OTHER}&ssl_check_hostname=false")
