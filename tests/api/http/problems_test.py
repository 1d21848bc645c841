from typing import Any
from uuid import uuid4

import httpx2
import msgspec
import pytest

from mousetrap.api.http import problems
from mousetrap.api.http.errors import ApiError, InternalError
from mousetrap.api.schema.problem import Problem
from mousetrap.store.jobs import JobStore


@pytest.mark.parametrize("path", ["/nope", "/jobs/x/y", "/docs/nope", "/docs/a/b"])
async def test_an_unknown_path(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:mousetrap:problem:not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is nothing at this path: see /docs.",
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/", {"GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/jobs", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/refresh", {"POST", "OPTIONS"}),
        ("HEAD", "/refresh", {"POST", "OPTIONS"}),
        ("BREW", "/", {"GET", "HEAD", "OPTIONS"}),
    ],
)
async def test_a_method_that_the_path_does_not_take(
    client: httpx2.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = await client.request(method, path)

    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_host_that_is_none(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/", headers={"Host": "a b"})

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_fault_of_ours_is_logged_once_and_told_to_nobody(
    client: httpx2.AsyncClient, events: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(JobStore, "find", broken)

    answer = await client.get(f"/jobs/{uuid4()}")

    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:mousetrap:problem:internal-error"
    assert "swordfish" not in answer.text
    [line] = [event for event in events if event["log_level"] == "error"]
    assert "swordfish" in str(line["exc_info"])
    assert line["request_id"] == answer.headers["x-request-id"]


def test_every_kind_has_a_code_of_its_own() -> None:
    kinds = list(problems.kinds())

    assert len(kinds) > 10
    assert len({kind.code for kind in kinds}) == len(kinds)


@pytest.mark.parametrize("kind", list(problems.kinds()))
def test_every_kind_says_what_to_do(kind: type[ApiError]) -> None:
    found = problems.problem(kind())

    assert found.status == kind.status
    assert found.type == f"urn:mousetrap:problem:{kind.code}"
    assert found.detail.endswith(".")
    assert msgspec.json.decode(problems.encode(kind())[1], type=Problem) == found


def test_the_detail_may_be_more_precise() -> None:
    assert problems.problem(InternalError("The disk is full.")).detail == "The disk is full."
