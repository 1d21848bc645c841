"""Lists of several pages are one list."""

import json

import pytest

from cli.conftest import Command
from support.origin import Origin, answer


def page(count: int, cursor: str | None) -> bytes:
    letter = {
        "id": 1,
        "queue": "mousetrap:fetch",
        "reason": "it is not JSON",
        "deliveries": 3,
        "buried_at": "2026-11-25T12:00:00Z",
        "size": 4,
        "new": True,
    }
    body = json.dumps({"items": [letter] * count, "next": cursor}, indent=2)
    return answer(body.encode(), content_type="application/json")


async def test_pages_are_asked_for_until_the_limit(mousetrap: Command, origin: Origin) -> None:
    origin.answers(page(20, "a"), path="/dead-letters?limit=20")
    origin.answers(page(5, "b"), path="/dead-letters?limit=5&cursor=a")

    done = await mousetrap.run("dead-letters", "--limit", "25", "--url", origin.url(""))

    header, *rows = done.out.splitlines()
    assert header.startswith("BURIED")
    assert len(rows) == 25
    assert len(set(rows)) == 1
    assert len(origin.requests) == 2


async def test_all_pages_are_asked_for_and_what_is_new_in_them_is_passed_on(
    mousetrap: Command, origin: Origin
) -> None:
    origin.answers(page(20, "a"), path="/dead-letters?limit=20")
    origin.answers(page(20, "b"), path="/dead-letters?limit=20&cursor=a")
    origin.answers(page(1, None), path="/dead-letters?limit=20&cursor=b")

    done = await mousetrap.run("dead-letters", "--all", "--json", "--url", origin.url(""))

    lines = [json.loads(line) for line in done.out.splitlines()]
    assert len(lines) == 41
    assert all(line["new"] for line in lines)


@pytest.mark.parametrize("path", ["/jobs", "/summaries"])
async def test_the_api_decides_which_sources_are_listed(
    mousetrap: Command, origin: Origin, path: str
) -> None:
    nothing = answer(b'{"items": [], "next": null}', content_type="application/json")
    origin.answers(nothing, path=f"{path}?source=removed&limit=20")

    done = await mousetrap.run(path[1:], "-s", "removed", "--json", "--url", origin.url(""))

    assert (done.code, done.out, done.err) == (0, "", "")
    assert len(origin.requests) == 1


async def test_a_token_that_may_not_list_the_sources_hears_that_there_is_none(
    mousetrap: Command, origin: Origin
) -> None:
    problem = {"title": "A title", "status": 404, "detail": "A detail."}
    unknown = json.dumps({**problem, "type": "urn:mousetrap:problem:unknown-source"}).encode()
    origin.answers(
        answer(unknown, status=404, content_type="application/problem+json"), path="/refresh"
    )
    forbidden = json.dumps({**problem, "type": "urn:mousetrap:problem:forbidden", "status": 403})
    origin.answers(
        answer(forbidden.encode(), status=403, content_type="application/problem+json"),
        path="/sources",
    )

    done = await mousetrap.run("refresh", "dmeo", "--url", origin.url(""))

    assert "there is no source with this name" in done.err
