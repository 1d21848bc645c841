from collections.abc import Iterator

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.conftest import Document, Workers
from mousetrap.api.http import negotiation

JSON, GEOJSON = "application/json", "application/geo+json"
NEVER_ENDS = {"stream_events": "?source=nowhere"}
"""Queries with which an answer ends: it is an error then."""


class Call:
    """An operation as the document describes it, of a job."""

    def __init__(self, method: str, path: str, operation: Document, job_id: str) -> None:
        self._method = method
        self._path = path.format(job_id=job_id) + NEVER_ENDS.get(operation["operationId"], "")
        [answer] = [it for status, it in operation["responses"].items() if status.startswith("2")]
        self.content_types = list(answer["content"])
        self.offers = [it.partition(";")[0] for it in self.content_types]

    async def accepting(self, client: httpx2.AsyncClient, accept: str) -> httpx2.Response:
        """Return the answer to a caller that sends this Accept."""
        return await client.request(self._method, self._path, headers={"Accept": accept})


@pytest.fixture
async def calls(document: Document, workers: Workers) -> list[Call]:
    job_id = await workers.succeed()
    return [
        Call(method, path, operation, job_id)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def ranges(offer: str) -> Iterator[str]:
    """Yield headers by which a media type is accepted, alone or more than the others."""
    kind = offer.partition("/")[0]
    yield from (offer, offer.upper(), f"{offer};q=0.001", f"text/x-other, {offer};q=0.5")
    yield from (f"*/*;q=0.1, {kind}/*;q=0.2, {offer}", f"{offer};charset=utf-8")


async def test_every_operation_answers_in_each_type_that_it_offers(
    client: httpx2.AsyncClient, calls: list[Call]
) -> None:
    for call in calls:
        for offer, content_type in zip(call.offers, call.content_types, strict=True):
            for accept in ranges(offer):
                answer = await call.accepting(client, accept)
                assert answer.status_code != 406, accept
                if answer.is_success:
                    assert answer.headers["content-type"].startswith(content_type)


@pytest.mark.parametrize("accept", ["", "*/*", "text/html, */*;q=0.8", "*/*;q=0.001"])
async def test_every_operation_has_a_type_for_whoever_takes_any(
    client: httpx2.AsyncClient, calls: list[Call], accept: str
) -> None:
    for call in calls:
        answer = await call.accepting(client, accept)
        assert answer.status_code != 406
        if answer.is_success:
            assert answer.headers["content-type"].startswith(call.content_types[0])


@pytest.mark.parametrize(
    "accept", ["text/html", "image/*", "*/*;q=0", "application/*;q=0, text/*;q=0.000", "nonsense"]
)
async def test_every_operation_lists_its_types_to_whoever_takes_none(
    client: httpx2.AsyncClient, calls: list[Call], accept: str
) -> None:
    before = (await client.get("/jobs")).json()
    for call in calls:
        answer = await call.accepting(client, accept)

        assert answer.status_code == 406
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["type"] == "urn:mousetrap:problem:not-acceptable"
        assert problem["detail"].endswith(f": accept {' or '.join(call.offers)}.")
        assert answer.headers["vary"].split(", ")[0] == "Accept"
    assert (await client.get("/jobs")).json() == before


async def test_a_header_may_be_sent_in_several_lines(client: httpx2.AsyncClient) -> None:
    lines = [("Accept", "text/html;q=0.9"), ("Accept", GEOJSON)]
    answer = await client.get("/summaries", headers=lines)

    assert answer.headers["content-type"] == GEOJSON
    assert (await client.get("/queues", headers=[*lines, ("Accept", JSON)])).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/dashboard", "/openapi.json", "/openapi.yaml"])
async def test_files_have_one_form_whatever_is_accepted(
    client: httpx2.AsyncClient, path: str
) -> None:
    for accept in ("*/*", "image/png", "application/json"):
        assert (await client.get(path, headers={"Accept": accept})).status_code == 200


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        (GEOJSON, GEOJSON),
        ("Application/GEO+JSON", GEOJSON),
        (f"{GEOJSON};q=0.4, {JSON};q=0.5", JSON),
        (f"{JSON} ; Q=0.4,{GEOJSON} ; q = 0.401", GEOJSON),
        (f"{GEOJSON}, {JSON}", JSON),
        (f"{JSON};q=0, */*", GEOJSON),
        (f"*/*, {JSON};q=0.1", GEOJSON),
        ("application/*;q=0, */*", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=0.000;x=y", None),
        (f"{JSON};charset=utf-8", JSON),
        (f"{JSON}, {JSON};profile=x;q=0", JSON),
        (f"{JSON};q=high", JSON),
        ("text/csv", None),
        ("text/csv, image/*", None),
    ],
)
def test_the_type_that_the_caller_would_rather_have(accept: str, chosen: str | None) -> None:
    assert negotiation.media_type(accept, (JSON, GEOJSON)) == chosen


@pytest.mark.parametrize(
    ("accept_encoding", "taken"),
    [
        ("", False),
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("br", False),
        ("identity", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.5, gzip", True),
        ("gzippy", False),
    ],
)
def test_whether_gzip_is_welcome(accept_encoding: str, taken: bool) -> None:  # noqa: FBT001
    assert negotiation.takes_gzip(accept_encoding) is taken


@given(st.text(max_size=60))
def test_takes_any_text(header: str) -> None:
    assert all(0 <= quality <= 1 for quality in negotiation.qualities(header).values())
    assert negotiation.media_type(header, (JSON, GEOJSON)) in {JSON, GEOJSON, None}


async def test_options_have_no_body_to_negotiate(client: httpx2.AsyncClient) -> None:
    answer = await client.request("OPTIONS", "/jobs", headers={"Accept": "text/html"})

    assert (answer.status_code, answer.content) == (204, b"")
