"""Feeds are asked through a proxy, and trusted by an authority of one's own, if one says so."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mousetrap.settings.errors import SettingsError
from mousetrap.sources.errors import PrivateAddressError, UnreachableError
from mousetrap.sources.http.download import Downloader
from mousetrap.sources.http.network import Network, network
from support import downloads, forward_proxy
from support.forward_proxy import Proxy
from support.origin import Origin, answer

CERTIFICATE = Path("tests/resources/feed-test.pem")


@pytest.fixture
async def secure(origin: Origin) -> AsyncIterator[int]:
    """The port of a server over TLS, whose certificate names feed.test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()
    server.abort_clients()


@pytest.fixture
async def forward() -> AsyncIterator[Proxy]:
    async with forward_proxy.running() as running:
        yield running


async def get(reached: Network, url: str, *, allow_private: bool = False) -> bytes:
    downloader = Downloader(max_connections=1, network=reached)
    try:
        found = await downloads.get(downloader, url, allow_private=allow_private)
    finally:
        await downloader.close()
    assert found is not None
    return found.body


async def test_https_goes_through_the_proxy_with_the_name_and_end_to_end_tls(
    origin: Origin, secure: int, forward: Proxy
) -> None:
    origin.answers(answer(b"{}"), path="/feed?a=1")
    reached = network(proxy=forward.url(), ca_file=str(CERTIFICATE))

    assert await get(reached, f"https://feed.test:{secure}/feed?a=1") == b"{}"

    assert forward.asked == [f"CONNECT feed.test:{secure}"]
    assert origin.requests[0].headers["host"] == f"feed.test:{secure}"
    with pytest.raises(UnreachableError, match="certificate is not valid for"):
        await get(reached, f"https://other.test:{secure}/")
    with pytest.raises(UnreachableError, match="self-signed certificate"):
        await get(Network(forward.url()), f"https://feed.test:{secure}/")


async def test_http_goes_through_the_proxy(origin: Origin, forward: Proxy) -> None:
    there = f"http://feed.test:{origin.port}/feed?a=1"
    origin.answers(answer(status=302, Location="/feed?a=2"), path="/feed?a=1")
    origin.answers(answer(b"{}"), path="/feed?a=2")

    assert await get(Network(forward.url()), there) == b"{}"

    assert forward.asked == [f"GET {there}", f"GET {there[:-1]}2"]
    assert origin.requests[0].headers["host"] == f"feed.test:{origin.port}"


async def test_a_proxy_may_want_a_password(origin: Origin, secure: int) -> None:
    origin.answers(answer(b"{}"))
    async with forward_proxy.running(userinfo="me:s3cr%t") as forward:
        reached = network(proxy=forward.url("me:s3cr%25t@"), ca_file=str(CERTIFICATE))

        assert await get(reached, f"https://feed.test:{secure}/") == b"{}"
        with pytest.raises(UnreachableError, match="the proxy does not connect to") as caught:
            await get(network(proxy=forward.url(), ca_file=""), f"https://feed.test:{secure}/")

    assert "canary" not in str(caught.value)
    assert "proxy-authorization" not in origin.requests[0].headers
    assert "s3cr" not in repr(reached)


async def test_a_proxy_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(UnreachableError, match="cannot be reached through the proxy") as it:
        await get(Network("http://me:s3cret@127.0.0.1:1"), "http://feed.test/")

    assert "s3cret" not in f"{it.value} {it.value.excerpt}"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::1]", "10.0.0.1"),
        *("169.254.169.254", "localhost", "LocalHost.", "a.localhost", "[::ffff:127.0.0.1]"),
    ],
)
async def test_a_proxy_is_not_asked_for_what_is_inside_by_its_name(
    forward: Proxy, host: str
) -> None:
    with pytest.raises(PrivateAddressError):
        await get(Network(forward.url()), f"http://{host}:6379/")

    assert forward.asked == []


async def test_a_source_inside_may_be_asked_through_the_proxy(
    origin: Origin, forward: Proxy
) -> None:
    origin.answers(answer(b"{}"))

    assert await get(Network(forward.url()), origin.url(), allow_private=True) == b"{}"
    assert forward.asked == [f"GET {origin.url()}"]


def test_authorities_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.pem").touch()

    monkeypatch.chdir(tmp_path)

    for name, reason in (("nowhere", "cannot be read"), ("empty.pem", "has no certificate")):
        with pytest.raises(SettingsError, match=f"MOUSETRAP_CA_FILE: {tmp_path}/{name} {reason}"):
            network(proxy="", ca_file=name)


def test_the_public_authorities_are_still_trusted() -> None:
    both = network(proxy="", ca_file=str(CERTIFICATE)).tls

    assert both is not None
    assert len(both.get_ca_certs()) > 1
