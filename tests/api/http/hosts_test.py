import pytest

from mousetrap.api.http.errors import BadRequestError, ForeignOriginError, UnknownHostError
from mousetrap.api.http.hosts import Hosts, is_own

MAPS = "https://maps.example"


def check(
    host: str, method: str = "GET", *, allowed: str = "", origins: str = "", **others: str
) -> None:
    headers = {"host": host} | {name.replace("_", "-"): it for name, it in others.items()}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    Hosts(allowed, origins).check(method, raw)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "mousetrap.localhost:8000",
        "127.0.0.1:8000",
        "[::1]:8000",
        "10.2.3.4",
        "[fd00::7]:8000",
        "api.example",
        "API.example.:443",
        "x.maps.example",
    ],
)
def test_answers_under_its_names_and_addresses(host: str) -> None:
    check(host, allowed="api.example,*.maps.example")


@pytest.mark.parametrize(
    "host",
    [
        "rebound.example",
        "rebound.example:8000",
        "localhost.rebound.example",
        "127.0.0.1.rebound.example",
        "evil-api.example",
        "maps.example",
        "evilmaps.example",
        "notlocalhost",
        "127.1",
        "0x7f000001",
    ],
)
def test_a_rebound_name_is_refused(host: str) -> None:
    with pytest.raises(UnknownHostError):
        check(host, allowed="api.example,*.maps.example")
    check(host, allowed="*")


@pytest.mark.parametrize("host", ["", "a b", "a@b", "a,b", "localhost:x", "x" * 400, "[::1", "é"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(BadRequestError):
        check(host, allowed="*")


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH", "BREW"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:5173"},
        {"sec_fetch_site": "cross-site"},
        {"origin": "https://evil.example", "sec_fetch_site": "same-site"},
        {"origin": f"{MAPS}.evil"},
    ],
)
def test_a_foreign_page_changes_nothing(method: str, headers: dict[str, str]) -> None:
    with pytest.raises(ForeignOriginError):
        check("localhost:8000", method, origins=MAPS, **headers)
    check("localhost:8000", "GET", origins=MAPS, **headers)
    check("localhost:8000", method, origins="*", **headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://localhost:8000"},
        {"origin": "https://LOCALHOST:8000", "sec_fetch_site": "same-origin"},
        # A proxy has changed Host, but the browser knows better.
        {"origin": "https://public.example", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": MAPS, "sec_fetch_site": "cross-site"},
    ],
)
def test_our_own_pages_listed_ones_and_programs_may(headers: dict[str, str]) -> None:
    check("localhost:8000", "POST", origins=MAPS, **headers)


@pytest.mark.parametrize(
    ("own", "headers"),
    [
        (True, {}),
        (True, {"sec-fetch-site": "none"}),
        (True, {"sec-fetch-site": "same-origin", "origin": "https://public.example"}),
        (True, {"origin": "http://LOCALHOST:8000"}),
        (False, {"sec-fetch-site": "same-site"}),
        (False, {"sec-fetch-site": "cross-site", "origin": "http://localhost:8000"}),
        (False, {"sec-fetch-site": "else"}),
        (False, {"origin": "http://localhost:5173"}),
        (False, {"sec-fetch-site": "none", "origin": "http://localhost:5173"}),
        (False, {"origin": "null"}),
    ],
)
def test_pages_of_the_same_site_are_not_ours(*, own: bool, headers: dict[str, str]) -> None:
    raw = {"host": "localhost:8000"} | headers

    assert is_own([(name.encode(), value.encode()) for name, value in raw.items()]) is own
