import httpx2
import pytest

from mousetrap.sources.http.links import next_link


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<https://a.test/2>; rel=next", "https://a.test/2"),
        ('<https://a.test/2>; rel="next"', "https://a.test/2"),
        ('< /2 >;REL="prefetch NEXT"', "/2"),
        ('</1>; rel=prev, </2>; title="a, \\"b\\"; c"; rel=next', "/2"),
        ('</a;b,c?d=e>; rel="next"; type="application/geo+json"', "/a;b,c?d=e"),
        ("</1>; rel=next; rel=prev", "/1"),
        ("</1>; rel=prev; rel=next", None),
        ('</html>; rel=next; type="text/html", </2>; rel=next', "/2"),
        ('</1>; rel=next; anchor="/other"', None),
        (", ,</2>;; rel = next", "/2"),
        ("</1>; rel=nextpage", None),
        ("</1>", None),
        ("/1; rel=next", None),
        ("</1; rel=next", None),
        ('</1>; rel="next', None),
        ("", None),
    ],
)
def test_the_next_page_is_what_the_header_says(value: str, expected: str | None) -> None:
    """RFC 8288 section 3."""
    assert next_link(httpx2.Headers({"Link": value})) == expected


def test_there_may_be_several_headers_or_none() -> None:
    several = [("Link", "</1>; rel=prev"), ("Link", "</2>; rel=next")]

    assert next_link(httpx2.Headers(several)) == "/2"
    assert next_link(httpx2.Headers()) is None


@pytest.mark.parametrize("value", ['<a>; b="' + '\\"' * 50_000, "<a>" + " ; a " * 20_000 + "x"])
def test_a_crafted_header_takes_no_time(value: str) -> None:
    assert next_link(httpx2.Headers({"Link": value})) is None
