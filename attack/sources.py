"""The `sources.toml` of a system under attack."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attack.feed_server import FeedServer, answer
from attack.hostile_feeds import DEADLINE, FEEDS, MARKER, MAX_BYTES, Feed, redirects

MAX_POINTS: Final = 5_000
MAX_QUEUED: Final = 50
FAKERS: Final = {"demo": 10, "keyed": 1, "bystander": 1, "wide": 1_000}


def private(port: int, api_port: int, by: str) -> dict[str, str]:
    """Return addresses that no feed may lead to, by name: the victim's, and others of this host.

    The victim counts who is led there, `by` a source or `by` a redirect.
    """
    found = {
        "loopback": f"http://127.0.0.1:{port}/victim",
        "loopback-by-name": f"http://localhost:{port}/victim",
        "loopback-with-a-dot": f"http://localhost.:{port}/victim",
        "loopback-elsewhere": f"http://127.9.9.9:{port}/victim",
        "loopback-in-decimal": f"http://2130706433:{port}/victim",
        "loopback-in-hexadecimal": f"http://0x7f000001:{port}/victim",
        "loopback-in-octal": f"http://0177.0.0.1:{port}/victim",
        "loopback-cut-short": f"http://127.1:{port}/victim",
        "loopback-v6": f"http://[::1]:{port}/victim",
        "mapped": f"http://[::ffff:127.0.0.1]:{port}/victim",
        "mapped-in-hexadecimal": f"http://[::ffff:7f00:1]:{port}/victim",
        "nat64": f"http://[64:ff9b::7f00:1]:{port}/victim",
        "unspecified": f"http://0.0.0.0:{port}/victim",
        "unspecified-v6": f"http://[::]:{port}/victim",
        "link-local": "http://169.254.169.254/latest/meta-data/",
        "site": "http://10.255.255.1/",
        "shared": "http://100.64.0.1/",
        "multicast": "http://224.0.0.1/",
        "broadcast": "http://255.255.255.255/",
        "unique-local": "http://[fd00::1]/",
        "our-metrics": f"http://127.0.0.1:{api_port}/metrics",
    }
    return {name: url.replace("/victim", f"/{by}-{name}") for name, url in found.items()}


SCHEMES: Final = {
    "file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "data": "data:application/json,{}",
    "javascript": "javascript:alert(1)",
    "ftp": "ftp://127.0.0.1/",
    "credentials": "http://user:password@127.0.0.1/",
    "no-host": "http:///path",
    "bad-port": "http://127.0.0.1:99999/",
    "nothing": "",
    "long": "http://127.0.0.1/" + "a" * 100_000,
    "itself": "/redirect-itself",
    "odd-characters": "http://127.0.0.1\\@evil.example/",
}
"""Locations that are no place for a feed, whatever is allowed."""


def hostile(victim_port: int, api_port: int) -> dict[str, Feed]:
    """Return every feed of the attacker by the name of its source."""
    inside = private(victim_port, api_port, "redirect")
    return FEEDS | redirects(SCHEMES.items()) | redirects(inside.items())


def write(root: Path, feeds: FeedServer, victim: FeedServer, api_port: int) -> Path:
    """Write the file for these servers, prepare their replies, and return its path."""
    victim.otherwise = answer(MARKER.encode())
    for name, feed in hostile(victim.port, api_port).items():
        feeds.replies[f"/{name}"] = feed.reply
    feeds.replies["/never"] = FEEDS["silent"].reply
    path = root / "sources.toml"
    path.write_text("\n".join(_lines(feeds, victim, api_port)))
    return path


def _lines(feeds: FeedServer, victim: FeedServer, api_port: int) -> Iterator[str]:
    yield 'default = "demo"'
    for name, count in FAKERS.items():
        yield f'[sources.{name}]\nkind = "faker"\ncount = {count}'
    for name in hostile(victim.port, api_port):
        yield from _feed(name, feeds.url(f"/{name}"), inside=True)
    for name, url in private(victim.port, api_port, "inside").items():
        yield from _feed(f"inside-{name}", url, inside=False)
    for name in ("never", "heavy"):
        yield _source(name, feeds.url(f"/{name}"), inside=True)
    yield _source("flooded", feeds.url("/never"), inside=True)
    yield f"max_queued = {MAX_QUEUED}"
    yield _source("coalesced", feeds.url("/never"), inside=True)
    yield "coalesce = true"


def _feed(name: str, url: str, *, inside: bool) -> Iterator[str]:
    """Yield a source with narrow bounds, so that its job ends soon."""
    yield _source(name, url, inside=inside)
    yield f"deadline = {DEADLINE}\nmax_bytes = {MAX_BYTES}\nmax_points = {MAX_POINTS}"
    yield "min_interval = 0"


def _source(name: str, url: str, *, inside: bool) -> str:
    """Return a source with the default bounds."""
    allowed = str(inside).lower()
    return f'[sources.{name}]\nkind = "geojson"\nurl = "{url}"\nallow_private = {allowed}'
