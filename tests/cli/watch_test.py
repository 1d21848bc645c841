"""`watch`: what it shows, and how it goes on when its connection is lost."""

import asyncio
import json
import re
import signal

from cli.conftest import Command
from cli.problems import problem
from support.origin import Origin, Script, answer

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 10\n\n"
READY = "event: ready\nid: 1\ndata: {}\n\n"
JOB = {
    "job_id": "0195f7c6-1c1f-7c6e-9d0a-5b8f0e6d2a11",
    "source": "demo",
    "state": "queued",
    "attempts": 1,
    "requested_at": "2026-11-25T12:00:00Z",
    "fetched_at": None,
    "finished_at": None,
    "error": None,
}
STORED = JOB | {
    "state": "succeeded",
    "fetched_at": "2026-11-25T12:00:01.5Z",
    "finished_at": "2026-11-25T12:00:02Z",
}


def event(number: int, job: dict[str, object]) -> str:
    return f"event: job\nid: {number}\ndata: {json.dumps(job)}\n\n"


def stream(*events: str) -> Script:
    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + "".join(events).encode())
        await writer.drain()

    return send


async def test_jobs_are_shown_as_they_change(mousetrap: Command, origin: Origin) -> None:
    origin.answers(
        stream(READY, ": heartbeat\n\n", event(2, JOB), event(3, STORED)),
        problem(400),
        path="/events?source=demo",
    )

    sources = b'{"items": [{"name": "demo", "kind": "faker", "default": true}]}'
    origin.answers(answer(sources, content_type="application/json"), path="/sources")

    done = await mousetrap.run("watch", "--source", "demo", "--url", origin.url(""))

    assert done.code == 4
    lines = [line.split("  ", 1) for line in done.out.splitlines()]
    assert [line for _, line in lines] == [
        f"{JOB['job_id']}  demo  queued",
        f"{JOB['job_id']}  demo  queued → fetched 1.50 s → stored 2.00 s",
    ]
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d", when) for when, _ in lines)


async def test_with_json_every_job_is_a_line(mousetrap: Command, origin: Origin) -> None:
    origin.answers(stream(READY, event(2, JOB), event(3, STORED)), problem(400), path="/events")

    done = await mousetrap.run("--json", "watch", "--url", origin.url(""))

    assert [json.loads(line) for line in done.out.splitlines()] == [JOB, STORED]


async def test_a_lost_connection_is_gone_on_with_where_it_ended(
    mousetrap: Command, origin: Origin
) -> None:
    origin.answers(
        stream(READY),
        stream(READY, event(7, JOB)),
        problem(503, retry_after=0),
        b"",
        stream(READY, event(8, STORED)),
        problem(400),
        path="/events",
    )

    done = await mousetrap.run("watch", "--url", origin.url(""))

    assert len(done.out.splitlines()) == 2
    assert [it.headers.get("last-event-id") for it in origin.requests] == [
        None,
        *("1", "7", "7", "7"),
        "8",
    ]
    remarks = done.err.splitlines()[:-1]
    assert remarks[::2] == [f"watching {origin.url('')}"] * 3
    assert all("trying again" in line for line in remarks[1::2])


async def test_a_gap_is_told(mousetrap: Command, origin: Origin) -> None:
    reset = "event: reset\nid: 9\ndata: {}\n\n"
    origin.answers(stream(READY), stream(reset, event(10, JOB)), problem(400), path="/events")

    done = await mousetrap.run("watch", "--url", origin.url(""))

    assert "some changes were missed: `mousetrap jobs` lists all jobs" in done.err
    assert len(done.out.splitlines()) == 1


async def test_without_a_first_connection_it_ends(mousetrap: Command, origin: Origin) -> None:
    origin.answers(answer(b"{}", content_type="application/json"), path="/events")

    unreachable = await mousetrap.run("watch", "--url", "http://127.0.0.1:9")
    foreign = await mousetrap.run("watch", "--url", origin.url(""))

    assert (unreachable.code, foreign.code) == (3, 3)
    assert "text/event-stream" in foreign.err


async def test_a_control_c_ends_it_quietly(mousetrap: Command, origin: Origin) -> None:
    async def send(writer: asyncio.StreamWriter) -> None:
        await stream(READY, event(2, JOB))(writer)
        await origin.hang(writer)

    origin.answers(send, path="/events")
    child = mousetrap.start("watch", "--url", origin.url(""))
    assert child.stdout is not None
    assert "queued" in await asyncio.to_thread(child.stdout.readline)

    child.send_signal(signal.SIGINT)
    out, err = await asyncio.to_thread(child.communicate, None, 20)

    assert (child.returncode, out) == (130, "")
    assert err.split() == ["watching", origin.url("")]
