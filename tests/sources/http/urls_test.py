import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.sources.errors import BadUrlError
from mousetrap.sources.http.urls import (
    authority,
    page_target,
    parameter,
    parse,
    redirect_target,
    with_parameter,
)

SECURE = httpx2.URL("https://example.org/a/b?key=secret")
OPEN = httpx2.URL("http://example.org:8080/a/b?key=secret")


@pytest.mark.parametrize(
    "url", ["http://example.org", "https://example.org:8443/a?b#c", "http://[::1]:80/", "HTTP://x/"]
)
def test_http_and_https_are_fetched(url: str) -> None:
    assert parse(url).scheme in {"http", "https"}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/a",
        "file:///etc/passwd",
        "ftp://example.org/",
        "http:///a",
        "http://[::1",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://example.org:port/",
        "http://example.org/\n",
        "http://user:secret@example.org/",
        "http://user@example.org/",
        "http://\u2603.example/",
    ],
)
def test_anything_else_is_a_bad_url(url: str) -> None:
    with pytest.raises(BadUrlError) as caught:
        parse(url)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("c", "https://example.org/a/c"),
        ("/c", "https://example.org/c"),
        ("//other.example/c", "https://other.example/c"),
        ("https://other.example/", "https://other.example/"),
    ],
)
def test_a_redirect_may_lead_to_another_place(location: str, target: str) -> None:
    assert str(redirect_target(SECURE, location)) == target


def test_a_redirect_may_lead_from_http_to_https() -> None:
    assert redirect_target(OPEN, "https://example.org/").scheme == "https"


def test_a_redirect_from_https_to_http_is_refused() -> None:
    with pytest.raises(BadUrlError, match="from HTTPS to unprotected HTTP"):
        redirect_target(SECURE, "http://example.org/a/b")


@pytest.mark.parametrize(
    "location",
    [
        None,
        "",
        "file:///etc/passwd",
        "gopher://example.org/",
        "javascript:alert(1)",
        "https://user:secret@example.org/",
        "https://example.org:port/",
        "\x00",
    ],
)
def test_a_redirect_to_anything_else_is_refused(location: str | None) -> None:
    with pytest.raises(BadUrlError) as caught:
        redirect_target(SECURE, location)

    assert "secret" not in str(caught.value)


@given(st.text(st.characters(codec="utf-8")))
def test_any_location_is_followed_or_refused(location: str) -> None:
    try:
        target = redirect_target(SECURE, location)
    except BadUrlError:
        return
    assert target.scheme == "https"
    assert authority(target).isascii()


def test_a_message_names_host_and_port_and_nothing_that_may_be_secret() -> None:
    assert authority(OPEN) == "example.org:8080"
    assert authority(SECURE) == "example.org"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("?page=2", "https://a.test/feed?page=2"),
        ("2#top", "https://a.test/2"),
        ("https://b.test/2", "https://b.test/2"),
        ("http://a.test/2", "https://a.test/2"),
    ],
)
def test_a_link_to_the_next_page_keeps_https(link: str, expected: str) -> None:
    assert str(page_target(httpx2.URL("https://a.test/feed"), link)) == expected


@pytest.mark.parametrize("link", ["http://b.test/2", "http://a.test:81/2", "file:///2", "//b:x"])
def test_a_link_to_an_unprotected_or_invalid_page_is_refused(link: str) -> None:
    with pytest.raises(BadUrlError, match=r"the link of a\.test to its next page"):
        page_target(httpx2.URL("https://a.test/feed"), link)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "startIndex=2"),
        ("a=1%2C2&b", "a=1%2C2&b&startIndex=2"),
        ("STARTINDEX=1&a=1&start%49ndex=7", "a=1&startIndex=2"),
    ],
)
def test_one_parameter_is_set_and_the_others_stay_as_they_are(query: str, expected: str) -> None:
    url = with_parameter(httpx2.URL(f"http://a.test/?{query}"), "startIndex", "2")

    assert str(url) == f"http://a.test/?{expected}"
    assert parameter(url, "other", "startindex") == "2"
    assert parameter(url, "other") is None
