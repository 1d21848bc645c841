"""The command `status` during an outage of Redis."""

import asyncio
import json

from cli.conftest import Command
from cli.problems import problem
from support.origin import Origin, answer

# The origin closes each connection; without a word, a second request may still be sent on it.
SOURCES = answer(
    json.dumps({"items": [{"name": "demo", "kind": "faker", "default": True}]}).encode(),
    content_type="application/json",
    Connection="close",
)


async def test_an_outage_of_redis_is_shown_and_not_waited_out(
    mousetrap: Command, origin: Origin
) -> None:
    origin.answers(SOURCES, path="/sources")
    origin.answers(problem(503, "the queue is unavailable", retry_after=1), path="/queues")

    told = await mousetrap.run("--url", origin.url()[:-1], "status")
    document = json.loads((await mousetrap.run("--url", origin.url()[:-1], "status", "--json")).out)

    assert (told.code, told.err) == (0, "No: the queue is unavailable\n")
    assert "demo" in told.out
    assert "QUEUE" not in told.out
    assert document["queues"] is None
    assert [it["name"] for it in document["sources"]] == ["demo"]
    assert [it.path for it in origin.requests] == ["/sources", "/queues"] * 2


async def test_an_api_that_waits_for_a_silent_redis_is_waited_for(
    mousetrap: Command, origin: Origin
) -> None:
    async def late(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3.5)  # longer than the deadline of Redis in the API
        writer.write(SOURCES)
        await writer.drain()

    origin.answers(late, path="/sources")
    origin.answers(problem(503, retry_after=1), path="/queues")

    told = await mousetrap.run("--url", origin.url()[:-1], "status")

    assert told.code == 0, told.err
