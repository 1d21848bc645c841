"""Validates the URLs of sources and of their redirects."""

from typing import Final
from urllib.parse import unquote_plus, urlencode

import httpx2

from mousetrap.sources.errors import BadUrlError

MAX_PORT: Final = 65535
PORTS: Final = {"http": 80, "https": 443}


def parse(text: str) -> httpx2.URL:
    """Parse the URL of a source.

    Raises BadUrlError unless it is HTTP or HTTPS, names a host, and has no user and password.
    """
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise BadUrlError(f"the url of this source is not valid: {error}") from error
    return _checked(url, "the url of this source")


def redirect_target(url: httpx2.URL, location: str | None) -> httpx2.URL:
    """Return the target of a redirect of `url`.

    Raises BadUrlError when `location` is missing, when `parse` would refuse the target, or when it
    downgrades HTTPS to HTTP.
    """
    if not location:
        raise BadUrlError(f"{authority(url)} redirects without a Location: tell its operator")
    try:
        target = _checked(url.join(location), f"the redirect of {authority(url)}")
    except httpx2.InvalidURL as error:
        raise BadUrlError(f"{authority(url)} redirects to an invalid URL: {error}") from error
    if url.scheme == "https" and target.scheme != "https":
        raise BadUrlError(
            f"{authority(url)} redirects from HTTPS to unprotected HTTP at {authority(target)}:"
            " set the url of this source to the final URL"
        )
    return target


def page_target(url: httpx2.URL, link: str) -> httpx2.URL:
    """Return the target of a link to the next page on the page at `url`.

    A server behind a proxy that ends TLS often names HTTP in its links: on the same host, at the
    default port, HTTPS is kept. Raises BadUrlError as `redirect_target` does.
    """
    what = f"the link of {authority(url)} to its next page"
    try:
        target = _checked(url.join(link).copy_with(fragment=None), what)
    except httpx2.InvalidURL as error:
        raise BadUrlError(
            f"{what} is not valid: tell the operator of the server", excerpt=error
        ) from error
    if url.scheme == "https" and target.scheme != "https":
        if authority(target) != authority(url) or target.port is not None:
            raise BadUrlError(
                f"{what} leads from HTTPS to unprotected HTTP at {authority(target)}: tell the"
                " operator of the server"
            )
        return target.copy_with(scheme="https")
    return target


def origin(url: httpx2.URL) -> tuple[str, str, int]:
    """Return the origin of a URL (RFC 6454): its scheme, host and port."""
    return url.scheme, url.host, port(url)


def parameter(url: httpx2.URL, *names: str) -> str | None:
    """Return the first parameter of the query with one of these names, whatever their case."""
    wanted = [name.lower() for name in names]
    return next((value for name, value in url.params.multi_items() if name.lower() in wanted), None)


def with_parameter(url: httpx2.URL, name: str, value: str) -> httpx2.URL:
    """Return the URL with one parameter set, and all others as they were written."""
    others = [
        pair
        for pair in url.query.split(b"&")
        if pair and unquote_plus(pair.partition(b"=")[0].decode("ascii")).lower() != name.lower()
    ]
    return url.copy_with(query=b"&".join([*others, urlencode({name: value}).encode("ascii")]))


def authority(url: httpx2.URL) -> str:
    """Return the host, and any non-default port, for messages."""
    return url.netloc.decode("ascii")


def port(url: httpx2.URL) -> int:
    """Return the port, which is that of the scheme if the URL names none."""
    return PORTS[url.scheme] if url.port is None else url.port


def _checked(url: httpx2.URL, what: str) -> httpx2.URL:
    if url.scheme not in PORTS or not url.host:
        raise BadUrlError(f"{what} is not http://HOST/… or https://HOST/…: correct it")
    if url.userinfo:
        raise BadUrlError(f"{what} has a user name or password, which are never sent: remove it")
    if url.port is not None and not 0 < url.port <= MAX_PORT:
        raise BadUrlError(f"{what} has port {url.port}, not one from 1 to {MAX_PORT}: correct it")
    return url
