"""The only outbound requests: bounded ones over HTTP or HTTPS."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import httpx2

from mousetrap.sources import shortage
from mousetrap.sources.errors import (
    BadUrlError,
    RefusedError,
    ServerTroubleError,
    TooManyRedirectsError,
    TruncatedError,
    UnreachableError,
)
from mousetrap.sources.http import body, response_head
from mousetrap.sources.http.addresses import Resolver, check_name
from mousetrap.sources.http.body import Allowance
from mousetrap.sources.http.network import DIRECT, Network
from mousetrap.sources.http.urls import authority, origin, redirect_target

HEADERS: Final = {
    "User-Agent": "Mousetrap (summaries of feeds of points)",
    "Accept-Encoding": "gzip",
    "Connection": "close",
}
ACCEPTED: Final = frozenset({HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
KEEPING: Final = frozenset({307, 308})
"""The redirects that keep the method of a request."""

KEYS: Final = frozenset({401, 403})
TEMPORARY: Final = frozenset({408, 425, 429})
SERVER_ERRORS: Final = 500
NETWORK_ERRORS: Final = (httpx2.NetworkError, httpx2.TimeoutException, httpx2.RemoteProtocolError)
UNCONNECTED: Final = (httpx2.ConnectError, httpx2.ConnectTimeout)
CONNECT_DEADLINE: Final = 3.0
"""Seconds for each address of a host but the last one, which has all that the source is given."""


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """A request for `url`: a GET, or a POST when it has a `body`.

    The `headers`, which may be those of a key, and the body are for the origin of `url` alone.
    """

    url: httpx2.URL
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """The validators of the resource at a URL; none by default."""

    url: str = field(default="", repr=False)
    etag: str | None = None
    last_modified: str | None = None

    def __bool__(self) -> bool:
        return self.etag is not None or self.last_modified is not None

    def conditions(self, request: Request) -> dict[str, str]:
        """Return the headers that make a request conditional."""
        # Validators are valid for one URL only, and a redirect may lead to another one by now.
        if str(request.url) != self.url or request.body is not None:
            return {}
        headers = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in headers.items() if value is not None}


NO_VERSION: Final = Version()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of the URL `url`, which redirects may have led to.

    `at_home` says that they led to no other origin on the way. `pieces` are the decompressed body
    as it arrives; the iteration raises SourceError.
    """

    url: httpx2.URL = field(repr=False)
    at_home: bool
    status: int
    version: Version
    headers: httpx2.Headers
    pieces: AsyncIterator[bytes]


class Downloader:
    """Downloads URLs over at most `max_connections` connections at a time.

    It sends no cookies, and no credentials but those of a request; it must be closed.
    """

    def __init__(self, *, max_connections: int, network: Network = DIRECT) -> None:
        # The bare transport sends a request and returns the response. The client would add
        # cookies, credentials, unbounded decoding, and a log line with the whole URL, including
        # keys.
        self._resolver = Resolver()
        self._transport = network.transport(max_connections=max_connections)
        self._proxied = bool(network.proxy)
        self._way = " through the proxy" if self._proxied else ""

    async def close(self) -> None:
        """Close all connections."""
        self._resolver.close()
        await self._transport.aclose()

    @asynccontextmanager
    async def ask(  # noqa: PLR0913 - each is a plain limit
        self,
        request: Request,
        *,
        media_types: Sequence[str],
        allowance: Allowance,
        max_redirects: int,
        known: Version,
        allow_private: bool = False,
    ) -> AsyncIterator[Answer | None]:
        """Enter with the answer to `request`, or None if it still has the `known` version.

        The caller sets the deadline. The answer should have one of the `media_types`, the preferred
        one first, and its body is taken off the `allowance`. Each host on the way must be at a
        public address unless `allow_private`. Raises SourceError.
        """
        hop = request
        for _ in range(max_redirects + 1):
            addresses = await self._addresses(hop.url, allow_private=allow_private)
            conditions = known.conditions(hop)
            headers = httpx2.Headers(HEADERS | {"Accept": response_head.accept(media_types)})
            headers.update({**hop.headers, **conditions})
            async with aclosing(await self._ask(hop, headers, addresses)) as response:
                if response.status_code in REDIRECTS:
                    target = redirect_target(hop.url, response.headers.get("location"))
                    hop = _redirected(hop, target, response.status_code)
                    continue
                if response.status_code == HTTPStatus.NOT_MODIFIED and conditions:
                    yield None
                    return
                _check_status(hop, response.status_code, request)
                async with aclosing(_pieces(hop.url, response, allowance)) as pieces:
                    yield Answer(
                        hop.url,
                        hop.headers is request.headers,
                        response.status_code,
                        _version(hop, response.headers),
                        response.headers,
                        pieces,
                    )
                return
        raise TooManyRedirectsError(
            f"{authority(request.url)} redirects more than {max_redirects} times: set the url of"
            " this source to the final URL, or raise max_redirects"
        )

    async def _addresses(self, url: httpx2.URL, *, allow_private: bool) -> Sequence[str]:
        """Return where to connect to: a proxy gets the name, and does its own lookup."""
        if not self._proxied:
            return await self._resolver.resolve(url, allow_private=allow_private)
        check_name(url, allow_private=allow_private)
        return [url.raw_host.decode("ascii").strip("[]")]

    async def _ask(
        self, hop: Request, headers: httpx2.Headers, addresses: Sequence[str]
    ) -> httpx2.Response:
        *others, last = addresses
        try:
            for address in others:
                with suppress(*UNCONNECTED):
                    return await self._transport.handle_async_request(
                        _request(hop, headers, address, CONNECT_DEADLINE)
                    )
            return await self._transport.handle_async_request(_request(hop, headers, last, None))
        except httpx2.ProxyError as error:
            raise UnreachableError(
                f"the proxy does not connect to {authority(hop.url)}: see whether it may, and"
                " whether MOUSETRAP_PROXY has the right password",
                excerpt=error,
            ) from error
        except NETWORK_ERRORS as error:
            shortage.check(error)
            raise UnreachableError(
                f"{authority(hop.url)} cannot be reached{self._way} ({_reason(error)}):"
                " check that it is up, that the url of this source is right, and that this machine"
                " may connect to it",
                excerpt=error,
            ) from error


def _request(
    hop: Request, headers: httpx2.Headers, address: str, deadline: float | None
) -> httpx2.Request:
    """Return a request that goes to `address`, and names and expects the host of its URL."""
    return httpx2.Request(
        "GET" if hop.body is None else "POST",
        hop.url.copy_with(host=address),
        headers=[(b"Host", hop.url.netloc), *headers.raw],
        content=hop.body,
        extensions={
            "sni_hostname": hop.url.raw_host.decode("ascii").strip("[]"),
            "timeout": {"connect": deadline},
        },
    )


def _redirected(hop: Request, target: httpx2.URL, status: int) -> Request:
    """Return the request that follows a redirect (RFC 9110 section 15.4)."""
    kept = hop.body is None or status in KEEPING
    if origin(target) == origin(hop.url):
        return Request(target, hop.headers, hop.body if kept else None)
    if hop.body is not None and kept:
        raise BadUrlError(
            f"{authority(hop.url)} redirects to another origin, where the body of this source is"
            " not sent: set the url of this source to the final URL"
        )
    return Request(target)


def _reason(error: Exception) -> str:
    if isinstance(error, httpx2.RemoteProtocolError):  # it quotes the server
        return "it does not speak HTTP"
    return str(error)


async def _pieces(
    url: httpx2.URL, response: httpx2.Response, allowance: Allowance
) -> AsyncGenerator[bytes]:
    try:
        async for piece in body.pieces(response, allowance):
            yield piece
    except NETWORK_ERRORS as error:
        raise TruncatedError(
            f"{authority(url)} closed the connection before the end of the response: try again",
            excerpt=error,
        ) from error


def _check_status(hop: Request, status: int, request: Request) -> None:
    if status in ACCEPTED:
        return
    there = authority(hop.url)
    if status >= SERVER_ERRORS or status in TEMPORARY:
        raise ServerTroubleError(f"{there} answered {status}: try again later")
    hint = "check that the url of this source is right and public"
    if status in KEYS:
        hint = (
            "check that the url of this source is right, and that it needs no key, or give it one"
            " in `headers` or `params`"
        )
    if request.headers and not hop.headers:
        hint = (
            f"{authority(request.url)} redirects to this other origin, which is not given the"
            " `headers` of this source: set the url of this source to the final URL"
        )
    raise RefusedError(f"{there} answered {status} instead of 200: {hint}")


def _version(hop: Request, headers: httpx2.Headers) -> Version:
    if hop.body is not None:
        return NO_VERSION
    etag, last_modified = (
        value if value and value.isascii() else None
        for value in (headers.get("etag"), headers.get("last-modified"))
    )
    return Version(str(hop.url), etag, last_modified)
