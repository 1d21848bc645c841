"""Which URLs are fetched, and where a redirect may lead."""

from typing import Final

import httpx2

from mousetrap.sources.errors import BadUrlError

SCHEMES: Final = frozenset({"http", "https"})
MAX_PORT: Final = 65535


def address(text: str) -> httpx2.URL:
    """Read the URL of a source.

    Raises BadUrlError unless it is HTTP or HTTPS, names a host, and holds no user and password.
    """
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise BadUrlError(f"the url of this source is not valid: {error}") from error
    return _checked(url, "the url of this source")


def redirected(url: httpx2.URL, location: str | None) -> httpx2.URL:
    """Return where the answer of `url` redirects to.

    Raises BadUrlError when that is nowhere, not fetched by `address` either, or in the open after
    HTTPS.
    """
    if not location:
        raise BadUrlError(f"{place(url)} redirects without saying where to: tell its operator")
    try:
        target = _checked(url.join(location), f"the redirect of {place(url)}")
    except httpx2.InvalidURL as error:
        raise BadUrlError(f"{place(url)} redirects to a URL that is not valid: {error}") from error
    if url.scheme == "https" and target.scheme != "https":
        raise BadUrlError(
            f"{place(url)} redirects from HTTPS to unprotected HTTP at {place(target)}:"
            " set the url of this source to where the data is"
        )
    return target


def place(url: httpx2.URL) -> str:
    """Return the host, and the port if it is not the usual one, for messages."""
    return url.netloc.decode("ascii")


def _checked(url: httpx2.URL, what: str) -> httpx2.URL:
    if url.scheme not in SCHEMES or not url.host:
        raise BadUrlError(f"{what} is not http://HOST/… or https://HOST/…: correct it")
    if url.userinfo:
        raise BadUrlError(f"{what} holds a user name or password, which are never sent: remove it")
    if url.port is not None and not 0 < url.port <= MAX_PORT:
        raise BadUrlError(f"{what} has port {url.port}, not one from 1 to {MAX_PORT}: correct it")
    return url
