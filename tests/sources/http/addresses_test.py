"""Only public addresses are connected to, and the one that was checked is the one that is asked."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import httpx2
import pytest

from mousetrap.sources.errors import PrivateAddressError, UnreachableError
from mousetrap.sources.http.addresses import LOOKUPS, is_global
from mousetrap.sources.http.download import Downloader
from mousetrap.sources.http.network import network
from support import downloads
from support.origin import Origin, answer

CERTIFICATE = Path("tests/resources/feed-test.pem")
PUBLIC = "8.8.8.8"  # nothing is sent to it
OTHER = "2001:4860:4860::8888"

Asked = list[httpx2.Request]
Names = dict[str, list[str]]


@pytest.fixture
async def downloader() -> AsyncIterator[Downloader]:
    downloader = Downloader(max_connections=4)
    yield downloader
    await downloader.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """The addresses of names, taken off one after another; the last of them stays."""
    found: Names = {}
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        addresses = found.get(host.decode() if isinstance(host, bytes) else host)
        if addresses is None:
            return real(host, port, *args, **more)
        now = addresses.pop(0) if len(addresses) > 1 else addresses[0]
        return [it for each in now.split() for it in real(each, port, *args, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The requests that would be sent; each is answered with a redirect to its own path."""
    found: Asked = []

    async def handle(_: object, request: httpx2.Request) -> httpx2.Response:
        found.append(request)
        if request.url.path == "/":
            raise httpx2.ConnectError("refused")
        return httpx2.Response(302, headers={"Location": request.url.path[1:]})

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", handle)
    return found


async def get(downloader: Downloader, url: str, *, allow_private: bool = False) -> bytes:
    found = await downloads.get(downloader, url, allow_private=allow_private)
    assert found
    return found.body


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "0.1.2.3", "10.1.2.3"),  # noqa: S104 - not listened on
        *("100.64.0.1", "100.100.100.200", "127.0.0.1"),
        *("127.9.9.9", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8"),
        *("192.0.2.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "233.252.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8"),
        *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:7f00:1::", "2001:db8::1"),
        *("100::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1"),
        *("ff0e::1", "5f00::1", "4000::1"),
    ],
)
def test_addresses_inside_are_not_global(address: str) -> None:
    assert not is_global(address)


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "1.1.1.1", "100.63.255.255", "172.32.0.1", OTHER, "2a00:1450:4001::1"),
        *("::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"),
    ],
)
def test_addresses_of_the_internet_are_global(address: str) -> None:
    assert is_global(address)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "0", "0x7f.1", "2130706433", "0x7f000001", "017700000001"),
        *("localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]"),
        *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "169.254.169.254", "10.0.0.1"),
    ],
)
async def test_a_host_inside_is_refused_in_every_spelling(
    downloader: Downloader, asked: Asked, host: str
) -> None:
    for url in (f"http://{host}:6379/", f"http://{PUBLIC}/http://{host}/metrics"):
        with pytest.raises(PrivateAddressError, match="`allow_private = true`") as caught:
            await get(downloader, url)
        assert caught.value.code == "private-address"
        assert not caught.value.retryable

    assert [it.url.host for it in asked] == [PUBLIC]


async def test_the_public_is_not_told_the_address(
    downloader: Downloader, asked: Asked, names: Names
) -> None:
    names["db.internal"] = ["10.1.2.3"]

    with pytest.raises(PrivateAddressError) as caught:
        await get(downloader, "http://db.internal/")

    assert "10.1.2.3" not in str(caught.value)
    assert caught.value.excerpt == "it is at 10.1.2.3"
    assert asked == []


async def test_the_address_that_was_checked_is_the_one_that_is_asked(
    downloader: Downloader, asked: Asked, names: Names
) -> None:
    names["rebound.test"] = [PUBLIC, "127.0.0.1"]

    with pytest.raises(UnreachableError):
        await get(downloader, "https://rebound.test:8443/")
    with pytest.raises(PrivateAddressError):
        await get(downloader, "https://rebound.test:8443/")

    [request] = asked
    assert (request.url.host, request.url.port) == (PUBLIC, 8443)
    assert request.headers["host"] == "rebound.test:8443"
    assert request.extensions["sni_hostname"] == "rebound.test"


async def test_addresses_are_tried_one_after_another_without_those_inside(
    downloader: Downloader, asked: Asked, names: Names
) -> None:
    names["feed.test"] = [f"127.0.0.1 {OTHER} {PUBLIC}"]

    with pytest.raises(UnreachableError):
        await get(downloader, "http://feed.test/")

    assert [it.url.host for it in asked] == [OTHER, PUBLIC]


@pytest.mark.parametrize("reply", [b"", b"SSH-2.0\r\n"])
async def test_an_address_that_connects_and_fails_is_unreachable_wherever_it_stands(
    downloader: Downloader, origin: Origin, names: Names, reply: bytes
) -> None:
    names["feed.test"] = ["127.0.0.1 127.0.0.2"]
    origin.answers(reply)

    with pytest.raises(UnreachableError):
        await get(downloader, f"http://feed.test:{origin.port}/", allow_private=True)

    assert len(origin.requests) == 1


async def test_a_name_is_looked_up_once(
    downloader: Downloader, origin: Origin, names: Names
) -> None:
    names["feed.test"] = ["127.0.0.1", "8.8.8.8"]
    origin.answers(answer(b"{}"))

    url = f"http://feed.test:{origin.port}/"
    assert await get(downloader, url, allow_private=True) == b"{}"

    assert origin.requests[0].headers["host"] == f"feed.test:{origin.port}"
    assert names["feed.test"] == ["8.8.8.8"]


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "x" * 64 + ".test"])
async def test_a_name_without_an_address_is_unreachable(downloader: Downloader, host: str) -> None:
    with pytest.raises(UnreachableError, match="cannot be found"):
        await get(downloader, f"http://{host}/")


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleQueue[str]]:
    """The names that were asked of a name server that answers nothing until the test ends."""
    found: SimpleQueue[str] = SimpleQueue()
    real, over = socket.getaddrinfo, threading.Event()

    def look_up(host: Any, *args: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if not name.endswith("silent.test"):
            return real(host, *args, **more)
        found.put(name)
        over.wait(60)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield found
    over.set()


async def given_up(downloader: Downloader, names: Iterable[str]) -> None:
    """Ask for each URL until its deadline."""

    async def give_up(name: str) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await get(downloader, f"http://{name}/")

    await asyncio.gather(*map(give_up, names))


async def test_a_silent_name_server_holds_up_nothing_but_lookups(
    downloader: Downloader, silent: SimpleQueue[str]
) -> None:
    await given_up(downloader, [f"{number}.silent.test" for number in range(LOOKUPS)])
    for _ in range(LOOKUPS):
        await asyncio.to_thread(silent.get, timeout=10)  # as parsers run

    # There is no place left for a lookup, and still each ends at its deadline.
    await given_up(downloader, ["127.0.0.1"])


async def test_a_host_whose_name_server_is_silent_leaves_lookups_to_others(
    downloader: Downloader, origin: Origin, silent: SimpleQueue[str]
) -> None:
    origin.answers(answer(b"{}"))
    await given_up(downloader, ["silent.test"] * (LOOKUPS + 1))

    assert await get(downloader, f"http://127.0.0.1:{origin.port}/", allow_private=True) == b"{}"
    assert silent.get_nowait() == "silent.test"
    assert silent.empty()


@pytest.fixture
async def secure(origin: Origin) -> AsyncIterator[Callable[[str], str]]:
    """A server over TLS whose certificate names feed.test; its URL under a name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    yield lambda name: f"https://{name}:{port}/"
    server.close()
    server.abort_clients()


async def test_tls_still_verifies_the_name(
    origin: Origin, secure: Callable[[str], str], names: Names
) -> None:
    names["feed.test"] = names["other.test"] = ["127.0.0.1"]
    origin.answers(answer(b"{}"))
    downloader = Downloader(max_connections=1, network=network(proxy="", ca_file=str(CERTIFICATE)))

    assert await get(downloader, secure("feed.test"), allow_private=True) == b"{}"
    for name in ("other.test", "127.0.0.1"):
        with pytest.raises(UnreachableError, match="certificate is not valid for"):
            await get(downloader, secure(name), allow_private=True)
    await downloader.close()


async def test_a_certificate_must_be_trusted(
    downloader: Downloader, secure: Callable[[str], str], names: Names
) -> None:
    names["feed.test"] = ["127.0.0.1"]

    with pytest.raises(UnreachableError, match="self-signed certificate"):
        await get(downloader, secure("feed.test"), allow_private=True)
