"""The key of a source reaches its origin, and nobody else."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from mousetrap.settings.errors import SettingsError
from mousetrap.settings.secrets import Keyring, Secret
from mousetrap.settings.source_kinds import GeojsonSettings
from mousetrap.settings.sources import Sources
from mousetrap.sources.batches import Batches
from mousetrap.sources.errors import BadUrlError, NoSecretError, RefusedError, SourceError
from mousetrap.sources.feed import Feed
from mousetrap.sources.geojson import GeojsonFeed
from mousetrap.sources.http import credentials
from mousetrap.sources.http.download import Downloader
from mousetrap.sources.source import Context
from support import origin as origins
from support.features import collection, feature
from support.origin import Origin, answer

CANARY = "canary-4f1d9c/+7e2b"
KEYRING = Keyring({"TOKEN": CANARY})
TOKEN = Secret(env="TOKEN", prefix="Bearer ")
KEY = Secret(env="TOKEN")
BODY = collection(feature())


@pytest.fixture
async def downloader() -> AsyncIterator[Downloader]:
    downloader = Downloader(max_connections=1)
    yield downloader
    await downloader.close()


@pytest.fixture
async def elsewhere() -> AsyncIterator[Origin]:
    async with origins.running() as running:
        yield running


def feed(origin: Origin, downloader: Downloader, path: str = "/", **own: Any) -> Feed:
    settings = GeojsonSettings(url=origin.url(path), allow_private=True, **own)
    return GeojsonFeed(settings, Context("feed", downloader, Batches(), KEYRING))


async def fetch(feed: Feed) -> None:
    async with asyncio.timeout(10):
        await feed.fetch()


def seen(origin: Origin) -> str:
    return repr(origin.requests)


async def test_headers_and_parameters_are_sent(origin: Origin, downloader: Downloader) -> None:
    path = f"/?a=1&key={quote(CANARY, safe='')}&plain=x+y"
    origin.answers(answer(BODY), path=path)
    own = {"headers": {"Authorization": TOKEN, "accept": "text/plain", "User-Agent": "me"}}

    await fetch(
        feed(origin, downloader, "/?a=1&key=old", params={"key": KEY, "plain": "x y"}, **own)
    )

    [request] = origin.requests
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert (request.headers["accept"], request.headers["user-agent"]) == ("text/plain", "me")
    assert (request.method, request.path) == ("GET", path)


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        ("data=[out:json]", "application/x-www-form-urlencoded", b"data=[out:json]"),
        (
            {"key": {"env": "TOKEN"}, "list": [{"env": "a", "other": 1}], "limit": 5},
            "application/json",
            json.dumps(
                {"key": CANARY, "list": [{"env": "a", "other": 1}], "limit": 5},
                separators=(",", ":"),
            ).encode(),
        ),
        ({"env": "TOKEN"}, "application/x-www-form-urlencoded", CANARY.encode()),
    ],
)
async def test_a_body_is_posted(
    origin: Origin, downloader: Downloader, body: Any, content_type: str, expected: bytes
) -> None:
    origin.answers(answer(BODY, ETag='"1"'))
    source = feed(origin, downloader, body=body)

    await fetch(source)
    await fetch(source)
    await fetch(feed(origin, downloader, body=body, headers={"content-type": "text/xml"}))

    first, second, third = origin.requests
    assert (first.method, first.body) == ("POST", expected)
    assert first.headers["content-type"] == content_type
    assert "if-none-match" not in second.headers
    assert third.headers["content-type"] == "text/xml"


async def test_a_redirect_within_the_origin_keeps_the_key(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(answer(status=307, Location="/b"))
    origin.answers(answer(status=303, Location="/c"), path="/b")
    origin.answers(answer(BODY), path="/c")

    await fetch(feed(origin, downloader, headers={"Authorization": TOKEN}, body="a"))

    assert [it.method for it in origin.requests] == ["POST", "POST", "GET"]
    assert all(CANARY in it.headers["authorization"] for it in origin.requests)


async def test_a_redirect_elsewhere_gets_no_key_and_brings_none_back(
    origin: Origin, elsewhere: Origin, downloader: Downloader
) -> None:
    origin.answers(answer(status=302, Location=elsewhere.url()), path=f"/?k={quote(CANARY, '')}")
    elsewhere.answers(answer(status=302, Location=origin.url("/delete")))
    origin.answers(answer(BODY, Link="</2>; rel=next"), path="/delete")
    origin.answers(answer(BODY), path="/2")

    await fetch(feed(origin, downloader, headers={"Authorization": TOKEN}, params={"k": KEY}))

    assert CANARY not in seen(elsewhere)
    first, *later = origin.requests
    assert CANARY in first.headers["authorization"]
    assert [it.path for it in later] == ["/delete", "/2"]
    assert CANARY not in repr(later)


async def test_the_next_page_gets_the_key_at_the_same_origin_alone(
    origin: Origin, elsewhere: Origin, downloader: Downloader
) -> None:
    key = quote(CANARY, "")
    links = {f"/?key={key}": "/2", f"/2?key={key}": "/3?key=kept", "/3?key=kept": elsewhere.url()}
    for path, link in links.items():
        origin.answers(answer(BODY, Link=f"<{link}>; rel=next"), path=path)
    elsewhere.answers(answer(BODY, Link=f"<{origin.url('/5')}>; rel=next"))
    origin.answers(answer(BODY), path="/5")

    await fetch(feed(origin, downloader, headers={"Authorization": TOKEN}, params={"key": KEY}))

    assert CANARY not in seen(elsewhere)
    *before, after = origin.requests
    assert [it.path for it in before] == list(links)
    assert all(CANARY in it.headers["authorization"] for it in before)
    assert (after.path, "authorization" in after.headers) == ("/5", False)


async def test_a_body_goes_to_no_other_origin(
    origin: Origin, elsewhere: Origin, downloader: Downloader
) -> None:
    for reply in (
        answer(status=307, Location=elsewhere.url()),
        answer(status=308, Location=elsewhere.url()),
        answer(BODY, Link=f"<{elsewhere.url()}>; rel=next"),
    ):
        origin.answers(reply)
        with pytest.raises(BadUrlError, match="the body of this source is not sent"):
            await fetch(feed(origin, downloader, body={"key": {"env": "TOKEN"}}))

    origin.answers(answer(status=302, Location=elsewhere.url()))
    elsewhere.answers(answer(BODY))
    await fetch(feed(origin, downloader, body={"key": {"env": "TOKEN"}}))
    assert [(it.method, it.body) for it in elsewhere.requests] == [("GET", b"")]


ECHOED = CANARY.encode()


@pytest.mark.parametrize(
    "reply",
    [
        answer(ECHOED, status=403),
        answer(b"<p>bad key: " + ECHOED),
        answer(b"<p>" + b"x" * 190 + ECHOED),
        answer(b'{"error":{"code":498,"message":"Invalid token: ' + ECHOED + b'"}}'),
        answer(b'{"type":"' + ECHOED + b'"}'),
        answer(b"[" + ECHOED),
        answer(BODY, Content_Encoding=f"br, {CANARY}"),
        answer(status=302, Location=f"http://{CANARY.split('/', maxsplit=1)[0]}.invalid/"),
        answer(status=302, Location=f"ftp://{CANARY}"),
        answer(BODY, Link=f"<ftp://{CANARY}>; rel=next"),
        answer(BODY, Link=f"<http://{CANARY.split('/', maxsplit=1)[0]}:1x/>; rel=next"),
        b"HTTP/1.1 200 " + ECHOED + b"\r\n" + ECHOED + b"\r\n\r\n",
        b"HTTP/1.1 " + ECHOED + b"\r\n\r\n",
        answer(ECHOED, length=1000),
    ],
)
async def test_a_key_that_the_server_repeats_is_shown_nowhere(
    origin: Origin, downloader: Downloader, reply: bytes, events: list[Any]
) -> None:
    path = f"/?key={quote(CANARY, '')}"
    origin.answers(reply, path=path)
    source = feed(origin, downloader, headers={"Authorization": TOKEN}, params={"key": KEY})

    with pytest.raises(SourceError) as caught:
        await fetch(source)

    shown = f"{caught.value} {caught.value!r} {caught.value.excerpt} {events}"
    for start in range(len(CANARY) - 5):
        assert CANARY[start : start + 6] not in shown


async def test_a_refused_key_says_where_it_is_set(origin: Origin, downloader: Downloader) -> None:
    origin.answers(answer(status=401))

    with pytest.raises(RefusedError, match="give it one in `headers` or `params`"):
        await fetch(feed(origin, downloader))


async def test_a_key_that_a_redirect_took_away_is_told(
    origin: Origin, elsewhere: Origin, downloader: Downloader
) -> None:
    origin.answers(answer(status=301, Location=elsewhere.url()))
    elsewhere.answers(answer(status=401))

    told = f"127.0.0.1:{origin.port} redirects to this other origin, which is not given the"
    with pytest.raises(RefusedError, match=told):
        await fetch(feed(origin, downloader, headers={"Authorization": TOKEN}))


async def test_a_file_may_change_between_two_fetches(
    origin: Origin, downloader: Downloader, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    origin.answers(answer(BODY))
    source = feed(origin, downloader, headers={"X-Key": Secret(file=str(file))})

    for token in ("first", "second"):
        file.write_text(token, "utf-8")
        await fetch(source)
    file.unlink()
    with pytest.raises(NoSecretError, match="the log of the fetch worker says which") as caught:
        await fetch(source)

    assert [it.headers["x-key"] for it in origin.requests] == ["first", "second"]
    assert caught.value.retryable
    assert str(file) not in str(caught.value)
    assert str(file) in caught.value.excerpt


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        ({"headers": {"A": Secret(env="NO")}}, r"headers\.A: the environment variable NO is not"),
        ({"params": {"b": Secret(file="/no")}}, r"params\.b: the file /no cannot be read"),
        ({"body": {"c": [{"env": "NO"}]}}, r"body\.c\[0\]: the environment variable NO"),
        ({"body": {"env": "NO", "file": "/no"}}, r"body: Expected one of `env` and `file`"),
        ({"headers": {"A": "é"}}, r"headers\.A: .*: use printable ASCII"),
        ({"headers": {"A": ""}}, r"headers\.A: the value is empty"),
        ({"headers": {"A": Secret(env="WIDE")}}, r"headers\.A: .*: use printable ASCII"),
    ],
)
def test_a_missing_secret_is_told_at_the_start(own: dict[str, Any], reason: str) -> None:
    keyring = Keyring({"WIDE": f"{CANARY}é"})
    settings = GeojsonSettings(url="https://example.org/", **own)
    sources = Sources(default="feed", sources={"feed": settings})

    with pytest.raises(
        SettingsError, match=rf"the sources file {Path.cwd()}/FILE: \[sources\.feed\]: {reason}"
    ) as caught:
        credentials.check("FILE", sources, keyring, ["feed"])
    assert CANARY not in str(caught.value)


def test_credentials_have_no_representation() -> None:
    settings = GeojsonSettings(url="https://example.org/", headers={"A": TOKEN}, body={"b": "c"})

    found = credentials.read(settings, KEYRING)

    assert found.secrets == {CANARY}
    assert CANARY not in f"{found!r} {KEYRING!r} {settings!r}"
