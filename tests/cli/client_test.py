"""Faults that pass by themselves are waited for; others are told in one line."""

import asyncio
import json

import pytest

from cli.conftest import Command
from cli.problems import problem
from mousetrap.cli import client
from support.origin import Origin, answer

JOB = "0195f7c6-1c1f-7c6e-9d0a-5b8f0e6d2a11"
ACCEPTED = json.dumps({"status": "ok", "job_id": JOB, "source": "demo"}).encode()
QUEUED = json.dumps(
    {
        "job_id": JOB,
        "source": "demo",
        "state": "queued",
        "attempts": 1,
        "requested_at": "2026-11-25T12:00:00Z",
    }
).encode()
JSON = "application/json"


async def test_a_refresh_is_sent_again_with_the_same_key_when_it_is_refused_for_now(
    mousetrap: Command, origin: Origin
) -> None:
    busy = problem(503, "busy", retry_after=0)
    origin.answers(busy, busy, answer(ACCEPTED, status=202, content_type=JSON), path="/refresh")

    done = await mousetrap.run("refresh", "--url", origin.url(""))

    assert (done.code, done.err) == (0, "")
    assert JOB in done.out
    keys = [request.headers["idempotency-key"] for request in origin.requests]
    assert len(keys) == 3
    assert len(set(keys)) == 1


async def test_a_refresh_is_sent_again_when_its_connection_is_lost(
    mousetrap: Command, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RETRY_DELAY", 0.01)
    origin.answers(b"", answer(ACCEPTED, status=202, content_type=JSON), path="/refresh")

    done = await mousetrap.run("refresh", "--url", origin.url(""))

    assert done.code == 0
    assert len({request.headers["idempotency-key"] for request in origin.requests}) == 1


async def test_a_retry_is_not_sent_again_when_it_may_have_been_heard(
    mousetrap: Command, origin: Origin
) -> None:
    origin.answers(b"", path=f"/jobs/{JOB}/retry")

    done = await mousetrap.run("retry", JOB, "--url", origin.url(""))

    assert done.code == 3
    assert "was lost" in done.err
    assert len(origin.requests) == 1


async def test_patience_ends_with_the_timeout(mousetrap: Command, origin: Origin) -> None:
    origin.answers(problem(503, "busy", retry_after=5), path="/refresh")

    done = await mousetrap.run("--timeout", "3", "refresh", "--url", origin.url(""))

    assert (done.code, done.err) == (4, "mousetrap: No: busy\n")
    assert len(origin.requests) == 1


async def test_a_waiting_command_bears_that_the_api_is_away(
    mousetrap: Command, origin: Origin
) -> None:
    ended = {**json.loads(QUEUED), "state": "failed", "finished_at": "2026-11-25T12:00:01Z"}
    ended["error"] = {"code": "refused", "detail": "not\x1b[2Jopen"}
    origin.answers(answer(ACCEPTED, status=202, content_type=JSON), path="/refresh")
    origin.answers(
        answer(QUEUED, content_type=JSON),
        answer(b"<p>Bad gateway</p>", status=502, content_type="text/html"),
        answer(json.dumps(ended).encode(), content_type=JSON),
        path=f"/jobs/{JOB}",
    )

    done = await mousetrap.run("refresh", "--wait", "--url", origin.url(""))

    assert done.code == 1
    first, away, back, reason = done.err.splitlines()
    assert first == "queued"
    assert "502 Because" in away
    assert back == "queued → failed 1.00 s"
    assert "the job has failed: refused: not[2Jopen." in reason


async def test_an_api_that_says_nothing_is_not_waited_for(
    mousetrap: Command, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CALL_DEADLINE", 0.2)
    origin.answers(origin.hang, path="/")

    done = await mousetrap.run("latest", "--url", origin.url(""))

    assert done.code == 3
    assert "has not answered within 0.2 s" in done.err


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"<html>", content_type="text/html"),
        answer(b"[]", content_type=JSON),
        answer(status=404, content_type="text/html"),
        answer(status=301, Location="http://127.0.0.1:9/"),
        answer(b"nothing", status=503, content_type="application/problem+json"),
        answer(b" " * 2000, content_type=JSON),
    ],
    ids=["page", "other JSON", "no problem", "redirect", "no JSON", "endless"],
)
async def test_what_is_not_mousetrap_is_told_apart(
    mousetrap: Command, origin: Origin, monkeypatch: pytest.MonkeyPatch, reply: bytes
) -> None:
    monkeypatch.setattr(client, "MAX_BYTES", 1000)
    origin.answers(reply, path="/jobs?limit=20")

    done = await mousetrap.run("jobs", "--url", origin.url(""))

    assert (done.code, done.out) == (3, "")
    assert "does not answer as Mousetrap does" in done.err
    assert done.err.count("\n") == 1


async def test_an_api_that_is_not_there_is_told_with_what_to_do(mousetrap: Command) -> None:
    done = await mousetrap.run("latest", "--url", "http://127.0.0.1:9/prefix/")

    assert done.code == 3
    assert done.err.startswith("mousetrap: http://127.0.0.1:9/prefix cannot be reached")
    assert "set --url or MOUSETRAP_URL" in done.err


async def test_every_call_is_given_up_when_it_is_cancelled(origin: Origin) -> None:
    origin.answers(origin.hang, path="/")
    async with client.Client(origin.url(""), 60) as api:
        asking = asyncio.create_task(api.get("/"))
        await origin.arrived.acquire()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
