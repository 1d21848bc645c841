import gzip
import socket
from collections.abc import AsyncIterator

import pytest

from mousetrap.sources.errors import (
    BadUrlError,
    MalformedError,
    NoFileError,
    RefusedError,
    ServerTroubleError,
    SourceError,
    TooLargeError,
    TooManyRedirectsError,
    TruncatedError,
    UnreachableError,
    WrongEncodingError,
)
from mousetrap.sources.http.download import Downloader, Version
from support.downloads import get
from support.features import collection, feature
from support.files import no_file_left
from support.origin import Origin, answer

BODY = collection(feature())


@pytest.fixture
async def downloader() -> AsyncIterator[Downloader]:
    downloader = Downloader(max_connections=4)
    yield downloader
    await downloader.close()


async def body(downloader: Downloader, url: str) -> bytes:
    found = await get(downloader, url)
    assert found is not None
    return found.body


async def test_an_answer_is_taken_as_it_is(origin: Origin, downloader: Downloader) -> None:
    origin.answers(answer(BODY))

    assert await body(downloader, origin.url()) == BODY


async def test_a_packed_answer_is_unpacked(origin: Origin, downloader: Downloader) -> None:
    origin.answers(answer(gzip.compress(BODY), Content_Encoding="gzip"))

    assert await body(downloader, origin.url()) == BODY


async def test_a_process_without_a_file_left_does_not_blame_the_source(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(answer(BODY))

    with no_file_left(), pytest.raises(NoFileError):
        await body(downloader, origin.url())

    assert await body(downloader, origin.url()) == BODY


@pytest.mark.parametrize(
    "packed", [gzip.compress(BODY), gzip.compress(gzip.compress(BODY)), BODY], ids=len
)
@pytest.mark.parametrize("encoding", ["gzip", "", "UTF-8", "aws-chunked", "gzip, identity"])
async def test_what_is_packed_is_told_by_its_magic(
    origin: Origin, downloader: Downloader, packed: bytes, encoding: str
) -> None:
    """RFC 1952 section 2.3.1; many servers name an encoding that is none, or none at all."""
    origin.answers(answer(packed, Content_Encoding=encoding), answer(packed))

    assert [await body(downloader, origin.url()) for _ in range(2)] == [BODY, BODY]


@pytest.mark.parametrize(
    "content_type",
    [
        *("binary/octet-stream", "application/geojson", "application/x-json", "text/javascript"),
        *("application/ld+json", "text/html", "application/json; charset=ISO-8859-1"),
        *("application/json; charset='utf-8'", "application/json; charset=utf8mb4", "", None),
    ],
)
async def test_an_answer_is_read_by_what_it_is(
    origin: Origin, downloader: Downloader, content_type: str | None
) -> None:
    """RFC 8259 section 11 defines no charset, and section 8.1 demands UTF-8."""
    origin.answers(answer(BODY, content_type=content_type))

    assert await body(downloader, origin.url()) == BODY


async def test_what_a_proxy_has_altered_is_taken(origin: Origin, downloader: Downloader) -> None:
    """RFC 9110 section 15.3.4."""
    origin.answers(answer(BODY, status=203))

    assert await body(downloader, origin.url()) == BODY


async def test_an_answer_may_come_in_chunks(origin: Origin, downloader: Downloader) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    origin.answers(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))

    assert await body(downloader, origin.url()) == BODY


async def test_an_answer_may_end_with_its_connection(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(b"HTTP/1.0 200 OK\r\n\r\n" + BODY)

    assert await body(downloader, origin.url()) == BODY


async def test_a_request_says_who_asks_and_holds_no_credentials(
    origin: Origin, downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@127.0.0.1:1/")
    monkeypatch.setenv("ALL_PROXY", "http://user:secret@127.0.0.1:1/")
    origin.answers(answer(BODY, Set_Cookie="session=1"), path="/?key=1")

    await body(downloader, origin.url("/?key=1"))
    await body(downloader, origin.url("/?key=1"))

    assert [request.path for request in origin.requests] == ["/?key=1", "/?key=1"]
    for request in origin.requests:
        assert request.headers.keys() == {
            "accept",
            "accept-encoding",
            "connection",
            "host",
            "user-agent",
        }
        assert request.headers["accept-encoding"] == "gzip"
        assert request.headers["user-agent"].startswith("Mousetrap ")


async def test_proxies_of_the_environment_are_not_used(
    origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    origin.answers(answer(BODY))
    downloader = Downloader(max_connections=1)

    assert await body(downloader, origin.url()) == BODY
    await downloader.close()


async def test_a_server_that_is_not_there_is_unreachable(downloader: Downloader) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/feed?key=secret"

        with pytest.raises(UnreachableError, match="check that it is up") as caught:
            await get(downloader, url)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 200 OK\r\nConte"])
async def test_a_server_that_does_not_speak_http_is_unreachable(
    origin: Origin, downloader: Downloader, said: bytes
) -> None:
    origin.answers(said)

    with pytest.raises(UnreachableError, match="does not speak HTTP"):
        await get(downloader, origin.url())


@pytest.mark.parametrize(
    "reply",
    [
        b"secret\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nsecret\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n",
        answer(BODY, Content_Encoding="br, secret"),
        answer(b"secret", status=500),
        answer(b"secret", status=404),
    ],
)
async def test_what_a_server_said_is_for_the_log_only(
    origin: Origin, downloader: Downloader, reply: bytes
) -> None:
    origin.answers(reply)

    with pytest.raises(SourceError) as caught:
        await get(downloader, origin.url())

    assert "secret" not in str(caught.value)


async def test_an_endless_head_is_refused(origin: Origin, downloader: Downloader) -> None:
    origin.answers(b"HTTP/1.1 200 OK\r\n" + b"X-Header: of no use\r\n" * 20_000)

    with pytest.raises(UnreachableError):
        await get(downloader, origin.url())


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/", "file:///etc/passwd", "nonsense"])
async def test_a_url_that_is_none_is_refused(downloader: Downloader, url: str) -> None:
    with pytest.raises(BadUrlError):
        await get(downloader, url)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_trouble_that_may_pass_is_told_apart(
    origin: Origin, downloader: Downloader, status: int
) -> None:
    origin.answers(answer(BODY, status=status))

    with pytest.raises(ServerTroubleError, match=f"answered {status}: try again later"):
        await get(downloader, origin.url())


@pytest.mark.parametrize("status", [201, 204, 206, 300, 304, 400, 401, 403, 404, 410])
async def test_any_answer_but_200_is_refused(
    origin: Origin, downloader: Downloader, status: int
) -> None:
    origin.answers(answer(status=status))

    with pytest.raises(RefusedError, match=f"answered {status} instead of 200"):
        await get(downloader, origin.url())


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer(BODY, Content_Encoding="br"), WrongEncodingError),
        (answer(gzip.compress(BODY)[:10] + BODY), MalformedError),
        (answer(bytes(10_001)), TooLargeError),
        (answer(BODY, length=10_001), TooLargeError),
        (answer(gzip.compress(bytes(10**6)), Content_Encoding="gzip"), TooLargeError),
        (answer(BODY, length=len(BODY) + 1), TruncatedError),
        (answer(b"", length=1), TruncatedError),
        (answer(gzip.compress(BODY)[:-1], Content_Encoding="gzip"), TruncatedError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n", TruncatedError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense", TruncatedError),
    ],
    ids=[
        "encoding",
        "gzip that is none",
        "large",
        "large as announced",
        "large when unpacked",
        "shorter than announced",
        "nothing of what is announced",
        "gzip cut off",
        "chunks cut off",
        "chunks that are none",
    ],
)
async def test_an_answer_that_cannot_be_taken_says_why(
    origin: Origin, downloader: Downloader, reply: bytes, error: type[SourceError]
) -> None:
    origin.answers(reply)

    with pytest.raises(error):
        await get(downloader, origin.url())


async def test_what_follows_the_announced_length_is_not_read(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(answer(BODY + b"more", length=len(BODY)))

    assert await body(downloader, origin.url()) == BODY


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(origin: Origin, downloader: Downloader, status: int) -> None:
    origin.answers(answer(status=status, Location="/moved?key=1"))
    origin.answers(answer(BODY), path="/moved?key=1")

    assert await body(downloader, origin.url()) == BODY


@pytest.mark.parametrize(
    "location",
    [
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "//user:secret@127.0.0.1/",
        "",
        "gopher://127.0.0.1/",
    ],
)
async def test_a_redirect_to_what_is_not_fetched_is_refused(
    origin: Origin, downloader: Downloader, location: str
) -> None:
    origin.answers(answer(status=302, Location=location))

    with pytest.raises(BadUrlError):
        await get(downloader, origin.url())


async def test_a_redirect_to_nowhere_is_refused(origin: Origin, downloader: Downloader) -> None:
    origin.answers(answer(status=302))

    with pytest.raises(BadUrlError, match="without a Location"):
        await get(downloader, origin.url())


async def test_redirects_are_counted(origin: Origin, downloader: Downloader) -> None:
    origin.answers(answer(status=302, Location="/1"))
    origin.answers(answer(status=302, Location="/2"), path="/1")
    origin.answers(answer(BODY), path="/2")

    assert await get(downloader, origin.url(), max_redirects=2) is not None
    with pytest.raises(TooManyRedirectsError, match="redirects more than 1 times"):
        await get(downloader, origin.url(), max_redirects=1)
    with pytest.raises(TooManyRedirectsError):
        await get(downloader, origin.url(), max_redirects=0)


async def test_a_redirect_in_a_circle_ends(origin: Origin, downloader: Downloader) -> None:
    origin.answers(answer(status=302, Location="/"))

    with pytest.raises(TooManyRedirectsError):
        await get(downloader, origin.url(), max_redirects=3)

    assert len(origin.requests) == 4


async def test_a_version_is_what_the_server_says(origin: Origin, downloader: Downloader) -> None:
    modified = "Tue, 06 Feb 2018 01:49:14 GMT"
    origin.answers(
        answer(BODY, ETag='W/"1"', Last_Modified=modified), answer(BODY), answer(BODY, ETag="é")
    )

    versions = [found.version for _ in range(3) if (found := await get(downloader, origin.url()))]

    assert versions[0] == Version(origin.url(), 'W/"1"', modified)
    assert [bool(version) for version in versions] == [True, False, False]


async def test_only_a_newer_version_is_asked_for(origin: Origin, downloader: Downloader) -> None:
    origin.answers(answer(status=304))
    known = Version(origin.url(), '"1"', "Tue, 06 Feb 2018 01:49:14 GMT")

    assert await get(downloader, origin.url(), known=known) is None

    [request] = origin.requests
    assert request.headers["if-none-match"] == '"1"'
    assert request.headers["if-modified-since"] == "Tue, 06 Feb 2018 01:49:14 GMT"


async def test_a_version_is_not_mentioned_to_another_url(
    origin: Origin, downloader: Downloader
) -> None:
    origin.answers(answer(status=302, Location="/new"))
    origin.answers(answer(BODY, ETag='"1"'), path="/new")
    known = Version(origin.url("/old"), '"1"')

    found = await get(downloader, origin.url(), known=known)

    assert found is not None
    assert found.version.url == origin.url("/new")
    assert all("if-none-match" not in request.headers for request in origin.requests)
