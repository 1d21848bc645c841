import re
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.conftest import Workers
from mousetrap.api.http import paging
from mousetrap.api.http.errors import InvalidCursorError
from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.store.database import Database

SPANNED = ["/jobs", "/summaries"]
"""The lists in the order of the requests."""


async def ids(client: httpx2.AsyncClient, path: str, **query: str | int) -> list[str]:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200
    return [it["job_id"] for it in answer.json()["items"]]


async def items(client: httpx2.AsyncClient, path: str) -> Any:
    return (await client.get(path)).json()["items"]


@given(st.integers(0, 2**63 - 1), st.sampled_from(["jobs", "summaries", "dead letters"]))
def test_a_cursor_is_read_as_it_was_written(before: int, listing: paging.Listing) -> None:
    cursor = paging.encode(listing, before)

    assert paging.decode(listing, cursor) == before
    assert re.search(paging.pattern(listing), cursor)


def test_without_a_cursor_it_is_the_first_page() -> None:
    assert paging.decode("jobs", None) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "nonsense",
        "schl\u00fcssel",
        "j000000000000000",
        "j00000000000000000",
        "j0000000000000005\n",
        " j0000000000000005",
        "J0000000000000005",
        "j000000000000000A",
        "j8000000000000000",
        "j-000000000000005",
        "j000000000000000\u0665",
        paging.encode("summaries", 5),
    ],
)
def test_refuses_what_was_not_given_out(text: str) -> None:
    with pytest.raises(InvalidCursorError):
        paging.decode("jobs", text)


@given(st.text("j0123456789abcdef \n", min_size=15, max_size=18))
def test_refuses_nonsense_in_one_way_only(text: str) -> None:
    try:
        before = paging.decode("jobs", text)
    except InvalidCursorError:
        return
    assert before is not None
    assert paging.encode("jobs", before) == text


def test_the_entry_too_many_makes_the_next_page() -> None:
    assert paging.cut([9, 8, 7], 3, "jobs", int) == ([9, 8, 7], None)
    assert paging.cut([9, 8, 7], 2, "jobs", int) == ([9, 8], paging.encode("jobs", 8))
    assert paging.cut([], 2, "jobs", int) == ([], None)


@pytest.mark.parametrize(
    "path",
    [
        "/jobs?limit=2&state=succeeded&source=demo",
        "/jobs?limit=2&since=2000-01-01T00:00:00%2B00:00&until=2999-12-31T00:00:00Z",
        "/summaries?limit=2&since=2000-01-01T00:00:00%2B00:00&until=2999-12-31T00:00:00Z",
        "/dead-letters?limit=2",
    ],
)
async def test_links_lead_through_all_pages(
    client: httpx2.AsyncClient, database: Database, workers: Workers, path: str
) -> None:
    for number in range(5):
        await workers.succeed()
        await database.dead_letters.keep(
            [DeadLetter("mousetrap:fetch", f"{number}-0", b"", "", None, 1)]
        )

    found, target = [], path
    for _ in range(3):
        page = await client.get(target)
        found.append(len(page.json()["items"]))
        assert await items(client, page.links["first"]["url"]) == await items(client, path)
        target = page.links.get("next", {}).get("url", "")
        assert (page.json()["next"] is None) is (target == "")

    assert found == [2, 2, 1]


@pytest.mark.parametrize("text", ["1e1", "1.0", "%2B5", "%205", "1_0", "0x5", "%D9%A5", "5%0A", ""])
async def test_a_number_is_made_of_digits(
    client: httpx2.AsyncClient, document: dict[str, Any], text: str
) -> None:
    numbers = [
        (path, parameter["name"])
        for path, item in document["paths"].items()
        for parameter in item.get("get", {}).get("parameters", [])
        if parameter["in"] == "query" and parameter["schema"].get("type") in {"integer", "number"}
    ]
    assert len(numbers) >= 3
    for path, name in numbers:
        answer = await client.get(f"{path}?{name}={text}")

        assert answer.status_code == 400
        [flaw] = answer.json()["errors"]
        assert (flaw["name"], flaw["where"]) == (name, "query")


@pytest.mark.parametrize("path", SPANNED)
async def test_since_is_inclusive_and_until_is_not(
    client: httpx2.AsyncClient, workers: Workers, path: str
) -> None:
    first, second, third = [await workers.succeed() for _ in range(3)]
    at = (await client.get(f"{path}/{second}")).json()["requested_at"]

    assert await ids(client, path, since=at) == [third, second]
    assert await ids(client, path, until=at) == [first]
    assert await ids(client, path, since=at, until=at) == []
    assert await ids(client, path, since=at, source="demo", limit=1) == [third]
    assert await ids(client, path, until=at, source="demo") == [first]


async def test_jobs_of_a_span_are_filtered_by_their_state(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    await workers.succeed()
    queued = (await client.post("/refresh")).json()["job_id"]
    at = (await client.get(f"/jobs/{queued}")).json()["requested_at"]
    done = await workers.succeed()

    assert await ids(client, "/jobs", since=at) == [done, queued]
    assert await ids(client, "/jobs", since=at, state="queued") == [queued]
    assert await ids(client, "/jobs", since=at, state="succeeded") == [done]
    assert await ids(client, "/jobs", until=at, state="queued") == []


@pytest.mark.parametrize("path", SPANNED)
async def test_times_may_be_of_any_zone(
    client: httpx2.AsyncClient, workers: Workers, path: str
) -> None:
    job_id = await workers.succeed()
    at = datetime.fromisoformat((await client.get("/")).json()["requested_at"])
    elsewhere = (at + timedelta(hours=5, minutes=45)).strftime("%Y-%m-%dT%H:%M:%S.%f+05:45")

    assert await ids(client, path, since=elsewhere) == [job_id]
    assert await ids(client, path, until=elsewhere) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("since", "2026-11-23T20:00:00"),
        ("since", "2026-11-23"),
        ("until", "yesterday"),
        ("until", "null"),
        ("since", "Null"),
        ("until", "0.5"),
        ("since", ""),
        ("until", "0001-01-01T00:00:00+14:00"),
        ("since", "9999-12-31T23:59:59-12:00"),
        ("limit", "1000"),
    ],
)
@pytest.mark.parametrize("path", SPANNED)
async def test_says_which_parameter_is_wrong(
    client: httpx2.AsyncClient, path: str, name: str, value: str
) -> None:
    answer = await client.get(path, params={name: value})

    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:mousetrap:problem:invalid-request"
    [error] = answer.json()["errors"]
    assert (error["name"], error["where"]) == (name, "query")


@pytest.mark.parametrize("path", SPANNED)
async def test_takes_the_first_and_the_last_instant(
    client: httpx2.AsyncClient, workers: Workers, path: str
) -> None:
    job_id = await workers.succeed()
    span = {"since": "0001-01-01T00:00:00Z", "until": "9999-12-31T23:59:59.999999Z"}

    assert await ids(client, path, **span) == [job_id]


def test_every_list_of_requests_takes_the_same_span(document: dict[str, Any]) -> None:
    jobs, summaries = (
        {it["name"]: it for it in document["paths"][path]["get"]["parameters"]} for path in SPANNED
    )
    for name in ("since", "until"):
        assert jobs[name] == summaries[name]
        assert jobs[name]["schema"]["format"] == "date-time"
