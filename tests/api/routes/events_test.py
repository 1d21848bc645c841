import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import httpx2
import msgspec
import pytest

from api.conftest import SOURCES, Workers, alive, execute
from api.listener import DEADLINE, listening
from mousetrap.api.app import Api, create_app
from mousetrap.api.http import authentication
from mousetrap.api.http.authentication import ANYBODY
from mousetrap.api.http.limits import Message
from mousetrap.api.http.peers import Peers
from mousetrap.api.live import broadcast, replays, stream
from mousetrap.api.live.broadcast import Broadcast
from mousetrap.api.metrics import ApiMetrics
from mousetrap.api.routes import events
from mousetrap.settings.process import ApiSettings
from mousetrap.store import notices


@pytest.fixture
async def api(settings: ApiSettings) -> AsyncIterator[Api]:
    found = create_app(settings, SOURCES)
    async with alive(found.asgi):
        await heard(found)
        yield found


async def heard(api: Api, bearer: str | None = None) -> None:
    """Wait until the process hears of changes."""
    async with asyncio.timeout(DEADLINE):
        while True:
            async with listening(api.asgi, bearer=bearer) as listener:
                await listener.started.wait()
            if listener.status == 200:
                return


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(api.asgi)
    async with httpx2.AsyncClient(transport=transport, base_url="http://mousetrap.test") as found:
        yield found


async def test_begins_with_a_point_to_resume_from(api: Api) -> None:
    async with listening(api.asgi) as listener:
        assert await listener.block() == "retry: 2000"
        ready = await listener.next()

    assert (ready.kind, ready.data) == ("ready", {})
    assert ready.id
    assert listener.status == 200
    assert listener.headers["content-type"] == events.MEDIA_TYPE
    assert listener.headers["cache-control"] == "no-store"
    assert listener.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in listener.headers


async def test_tells_every_change_in_order(
    api: Api, client: httpx2.AsyncClient, workers: Workers
) -> None:
    async with listening(api.asgi) as listener:
        done, failed = await workers.succeed(), await workers.fail()
        await client.post(f"/jobs/{failed}/retry")
        heard = (await listener.until(job_id=failed, attempts=2))[1:]

    assert [(it.data["job_id"], it.data["state"], it.data["attempts"]) for it in heard] == [
        (done, "queued", 1),
        (done, "succeeded", 1),
        (failed, "queued", 1),
        (failed, "failed", 1),
        (failed, "queued", 2),
    ]
    assert {it.kind for it in heard} == {"job"}
    assert sorted(it.id for it in heard) == [it.id for it in heard]
    listed = (await client.get("/jobs")).json()["items"]
    assert listed == [heard[4].data, heard[1].data]
    assert all(it.data.keys() == listed[0].keys() for it in heard)


async def test_tells_what_others_do_to_a_job(
    api: Api, client: httpx2.AsyncClient, dsn: str
) -> None:
    async with listening(api.asgi) as listener:
        job_id = (await client.post("/refresh")).json()["job_id"]
        await execute(dsn, "UPDATE job SET attempts = 7, due_at = now(), sent = false")
        await listener.until(job_id=job_id, attempts=7)


async def test_a_long_reason_is_told_whole(api: Api, client: httpx2.AsyncClient, dsn: str) -> None:
    async with listening(api.asgi) as listener:
        job_id = (await client.post("/refresh")).json()["job_id"]
        await execute(
            dsn,
            "UPDATE job SET state = 'failed', finished_at = now(), error_code = 'long',"
            " error_detail = repeat('ä', 10000)",
        )
        told = (await listener.until(state="failed"))[-1].data

    assert told["job_id"] == job_id
    assert told["error"] == {"code": "long", "detail": "ä" * 10_000}


async def test_tells_of_one_source_if_asked_to(api: Api, client: httpx2.AsyncClient) -> None:
    async with listening(api.asgi, "source=earthquakes") as listener:
        await client.post("/refresh")
        await client.post("/refresh", json={"source": "earthquakes"})
        [_, told] = await listener.until(state="queued")
        async with listening(api.asgi, "source=earthquakes", last_id=told.id) as again:
            [_, replayed] = await again.until(state="queued")

    assert told.data["source"] == "earthquakes"
    assert replayed == told


@pytest.mark.parametrize("query", ["source=", "source=No%20Such", "source=" + "x" * 65])
async def test_an_unknown_source_is_refused(api: Api, query: str) -> None:
    async with listening(api.asgi, query) as listener:
        await listener.body()

    assert listener.status == 404
    assert listener.headers["content-type"] == "application/problem+json"


async def test_resumes_without_a_gap(
    api: Api, client: httpx2.AsyncClient, workers: Workers
) -> None:
    async with listening(api.asgi) as listener:
        ready = await listener.next()
        before = await workers.succeed()
        seen = (await listener.until(state="succeeded"))[-1]
    missed = [await workers.succeed() for _ in range(3)]

    async with listening(api.asgi, last_id=seen.id) as listener:
        first = await listener.next()
        told = await listener.until(job_id=missed[-1], state="succeeded")
        await client.post("/refresh")
        await listener.until(state="queued")
    async with listening(api.asgi, last_id=ready.id) as listener:
        all_of_it = await listener.until(job_id=missed[-1], state="succeeded")

    assert (first.kind, first.id) == ("ready", seen.id)
    assert [it.data["job_id"] for it in told][-3:] == missed
    assert [it.data.get("job_id") for it in all_of_it][-4:] == [before, *missed]


async def test_an_id_is_good_for_another_process(settings: ApiSettings, dsn: str) -> None:
    one, other = create_app(settings, SOURCES), create_app(settings, SOURCES)
    async with alive(one.asgi):
        await heard(one)
        async with listening(one.asgi) as listener:
            ready = await listener.next()
    await execute(dsn, "INSERT INTO job (id, source) VALUES (gen_random_uuid(), 'demo')")
    async with alive(other.asgi):
        await heard(other)
        async with listening(other.asgi, last_id=ready.id) as listener:
            await listener.until(state="queued")


@pytest.mark.parametrize("last_id", ["nonsense", "1" * 40, "99999999999999999", "1_7", "0"])
async def test_begins_anew_after_an_id_that_is_none(api: Api, last_id: str) -> None:
    async with listening(api.asgi, last_id=last_id) as listener:
        ready, reset = await listener.next(), await listener.next()

    assert (ready.kind, reset.kind, reset.data) == ("ready", "reset", {})
    assert reset.id == ready.id != last_id


def go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock of Postgres back by a minute, as far as this process can see."""
    now = notices._NOW  # noqa: SLF001 - the clock of a real server cannot be set
    earlier = now.replace("clock_timestamp()", "clock_timestamp() - interval '1 minute'")
    monkeypatch.setattr(notices, "_NOW", earlier)


async def test_begins_anew_after_an_id_from_before_the_clock_of_postgres_went_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when that clock shows the time of the id again."""
    async with listening(api.asgi) as listener:
        ready = await listener.next()
        go_back(monkeypatch)
        while (during := await listener.next()).kind != "reset":
            pass
    monkeypatch.undo()
    async with asyncio.timeout(DEADLINE):
        while True:
            async with listening(api.asgi) as listener:
                after = await listener.next()
            if int(after.id) > int(ready.id):
                break
            await asyncio.sleep(0.05)

    for last_id in (ready.id, during.id):
        async with listening(api.asgi, last_id=last_id) as listener:
            assert [(await listener.next()).kind for _ in range(2)] == ["ready", "reset"]


@pytest.mark.parametrize("replayed", ["before", "after"])
async def test_a_job_changes_on_after_the_clock_of_postgres_went_back(  # noqa: PLR0913, PLR0917 - fixtures
    api: Api,
    client: httpx2.AsyncClient,
    workers: Workers,
    dsn: str,
    monkeypatch: pytest.MonkeyPatch,
    replayed: str,
) -> None:
    """Its change before that, which is replayed, looks newer than the one after it."""
    async with listening(api.asgi) as listener:
        ready = await listener.next()
        job_id = (await client.post("/refresh")).json()["job_id"]
        await listener.until(job_id=job_id)
    await execute(dsn, "UPDATE job SET changed_at = now() + interval '1 minute'")

    async with (
        listening(api.asgi, last_id=ready.id) as listener,
        listening(api.asgi) as other,
    ):
        if replayed == "before":
            await listener.until(job_id=job_id)
        else:
            await listener.started.wait()
            listener.reads.clear()
        go_back(monkeypatch)
        while (await other.next()).kind != "reset":
            pass
        listener.reads.set()
        while (await listener.next()).kind != "reset":
            pass
        await workers.succeed(job_id)
        await listener.until(job_id=job_id, state="succeeded")


async def test_begins_anew_when_too_much_was_missed(
    api: Api, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "REPLAY_LIMIT", 4)
    monkeypatch.setattr(notices, "PAGE", 2)
    async with listening(api.asgi) as listener:
        ready = await listener.next()
    for _ in range(5):
        await client.post("/refresh")

    async with listening(api.asgi, last_id=ready.id) as listener:
        while (event := await listener.next()).kind != "reset":
            pass
    async with listening(api.asgi, last_id=event.id) as listener:
        ready = await listener.next()

    assert (ready.kind, ready.id) == ("ready", event.id)


@pytest.mark.parametrize("late", [0.0, 0.5])
async def test_a_job_never_goes_back(
    api: Api,
    client: httpx2.AsyncClient,
    workers: Workers,
    monkeypatch: pytest.MonkeyPatch,
    late: float,
) -> None:
    """A notice that comes during a replay or after it may be older than what is replayed."""
    monkeypatch.setattr(notices, "BETWEEN_READS", late)
    async with listening(api.asgi) as listener:
        ready = await listener.next()
    async with listening(api.asgi, last_id=ready.id) as listener:
        listener.reads.clear()
        await asyncio.sleep(0)
        jobs = [await workers.succeed() for _ in range(3)]
        listener.reads.set()
        told = await listener.until(job_id=jobs[-1])
        last = (await client.post("/refresh")).json()["job_id"]
        told += await listener.until(job_id=last)

    for job_id in jobs:
        states = [it.data["state"] for it in told if it.data.get("job_id") == job_id]
        assert set(states) == {"succeeded"}


async def test_who_reads_too_slowly_is_cut_off(
    api: Api, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "BUFFER", 3)
    async with listening(api.asgi) as listener, listening(api.asgi) as quick:
        await listener.next()
        listener.reads.clear()
        for _ in range(10):
            await client.post("/refresh")
            await quick.until(state="queued")
        async with asyncio.timeout(DEADLINE):
            await listener.cut.wait()

    assert not quick.cut.is_set()


async def test_a_heartbeat_comes_and_who_does_not_take_it_is_cut_off(
    settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = create_app(settings, SOURCES)
    monkeypatch.setattr(broadcast, "HEARTBEAT", 0.05)
    async with alive(api.asgi):
        await heard(api)
        async with listening(api.asgi) as listener:
            ready = await listener.next()
            while not (heartbeat := await listener.block()).startswith(": heartbeat\nid: "):
                pass
            assert int(heartbeat.rpartition(" ")[2]) >= int(ready.id)
            listener.reads.clear()
            async with asyncio.timeout(DEADLINE):
                await listener.cut.wait()


class Channel:
    """Notices that a test makes up."""

    position = datetime.now(UTC)
    horizon = position

    def subscribe(self, hear: notices.Hear, **_: object) -> None:
        self.hear = hear


async def test_others_are_served_while_all_clients_are_sent_an_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broadcast, "CHUNK", 2)
    channel, ready, sent, gone = Channel(), asyncio.Semaphore(0), [], asyncio.Event()
    told = Broadcast(cast("notices.Notices", channel), Peers(), ApiMetrics())
    turn = 0

    async def send(message: Message) -> None:
        body = message.get("body", b"")
        if b"event: ready" in body:
            ready.release()
        elif b"event: reset" in body:
            sent.append((turn, body.count(b"event: reset")))

    async def receive() -> Message:
        await gone.wait()
        return {"type": "http.disconnect"}

    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
        watching = group.create_task(told.watch())
        for _ in range(10):
            group.create_task(
                told.serve(
                    receive,
                    send,
                    gone.set,
                    client=None,
                    caller=ANYBODY,
                    source=None,
                    last_id=None,
                )
            )
        for _ in range(10):
            await ready.acquire()
        channel.hear(notices.Gap())
        channel.hear(notices.Gap())
        while len(sent) < 10:
            turn += 1
            await asyncio.sleep(0)
        gone.set()
        watching.cancel()

    assert [resets for _, resets in sent] == [2] * 10
    assert sent[-1][0] - sent[0][0] >= 4


async def test_listeners_are_bounded(
    settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "CLIENTS", 2)
    api = create_app(settings, SOURCES)
    async with alive(api.asgi):
        await heard(api)
        async with listening(api.asgi) as first, listening(api.asgi) as second:
            await first.next()
            await second.next()
            async with listening(api.asgi) as third:
                body = await third.body()
        async with listening(api.asgi) as other:
            await other.next()

    assert third.status == 503
    assert msgspec.json.decode(body)["type"] == "urn:mousetrap:problem:overloaded"
    assert third.headers["retry-after"]


async def test_listeners_of_one_peer_are_bounded(settings: ApiSettings) -> None:
    few = msgspec.structs.replace(settings, max_connections_per_peer=4)
    api = create_app(few, SOURCES)
    async with alive(api.asgi):
        await heard(api)
        async with listening(api.asgi) as first, listening(api.asgi) as second:
            await first.next()
            await second.next()
            async with listening(api.asgi) as third:
                body = await third.body()
            async with listening(api.asgi, client="127.0.0.2") as other:
                await other.next()
        async with listening(api.asgi) as third:
            await third.next()

    assert third.status == 200
    assert b"urn:mousetrap:problem:overloaded" in body


def token_line(token: str, scopes: str) -> str:
    return f"{token} {scopes} {hashlib.sha256(token.encode()).hexdigest()}\n"


@pytest.mark.parametrize("shrunk", ["", token_line("leaver", "refresh,metrics")])
async def test_a_stream_ends_when_its_token_is_revoked_or_loses_its_scope(
    settings: ApiSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shrunk: str
) -> None:
    monkeypatch.setattr(authentication, "PERIOD", 0.02)
    monkeypatch.setattr(broadcast, "CLOSE_GRACE", 0.1)
    file, stayer = tmp_path / "tokens", token_line("stayer", "read")
    file.write_text(stayer + token_line("leaver", "read"))
    api = create_app(msgspec.structs.replace(settings, api_tokens_file=str(file)), SOURCES)
    async with alive(api.asgi):
        await heard(api, bearer="stayer")
        async with (
            listening(api.asgi, bearer="stayer") as stays,
            listening(api.asgi, bearer="leaver") as leaves,
            listening(api.asgi, bearer="leaver") as reads_nothing,
        ):
            for listener in (stays, leaves, reads_nothing):
                await listener.next()
            reads_nothing.reads.clear()
            file.write_text(shrunk + stayer.replace("read", "read,refresh"))
            async with asyncio.timeout(DEADLINE):
                await leaves.over.wait()
                await reads_nothing.cut.wait()
            assert not stays.over.is_set()


async def test_a_token_that_was_revoked_a_moment_ago_opens_no_stream() -> None:
    channel, cut = cast("notices.Notices", Channel()), asyncio.Event()
    told = Broadcast(channel, Peers(), ApiMetrics(), admit=lambda _: False)

    async def send(message: Message) -> None:
        assert b"ready" not in message.get("body", b"")

    async def receive() -> Message:
        await cut.wait()
        return {"type": "http.disconnect"}

    async with asyncio.timeout(DEADLINE):
        await told.serve(
            receive, send, cut.set, client=None, caller=ANYBODY, source=None, last_id=None
        )


async def test_an_id_is_replayed_for_five_minutes(
    api: Api, client: httpx2.AsyncClient, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the Postgres of the tests had run for longer.
    monkeypatch.setattr(notices.Notices, "horizon", datetime.min.replace(tzinfo=UTC))
    async with listening(api.asgi) as listener:
        ready = await listener.next()
        await client.post("/refresh")
        await listener.until(state="queued")
    minute = 60_000_000

    async with listening(api.asgi, last_id=str(int(ready.id) - 4 * minute)) as listener:
        await listener.until(state="queued")
    async with listening(api.asgi, last_id=str(int(ready.id) - 6 * minute)) as listener:
        kinds = [(await listener.next()).kind for _ in range(2)]
        await execute(dsn, "UPDATE job SET attempts = 7, due_at = now(), sent = false")
        told = await listener.until(attempts=7)

    assert kinds == ["ready", "reset"]
    assert len(told) == 1


async def test_few_replays_run_at_a_time_and_few_wait(
    api: Api, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "WAITING", 1)
    monkeypatch.setattr(replays, "PATIENCE", DEADLINE)
    async with listening(api.asgi) as listener:
        ready = await listener.next()
        await client.post("/refresh")
        await listener.until(state="queued")

    async with contextlib.AsyncExitStack() as stack:
        slow = []
        for _ in range(replays.REPLAYS):
            it = await stack.enter_async_context(listening(api.asgi, last_id=ready.id))
            assert (await it.next()).kind == "ready"
            it.reads.clear()
            slow.append(it)
        waiting = await stack.enter_async_context(listening(api.asgi, last_id=ready.id))
        assert (await waiting.next()).kind == "ready"
        refused = await client.get("/events", headers={"Last-Event-ID": ready.id})
        async with listening(api.asgi) as fresh:
            await fresh.next()

        slow[0].leave()
        assert (await waiting.next()).data["state"] == "queued"

    assert refused.status_code == 503
    assert refused.json()["type"] == "urn:mousetrap:problem:overloaded"
    assert refused.headers["retry-after"]


async def test_who_would_wait_long_for_a_replay_begins_anew(
    api: Api, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "PATIENCE", 0.1)
    async with listening(api.asgi) as listener:
        ready = await listener.next()
        await client.post("/refresh")
        await listener.until(state="queued")

    async with contextlib.AsyncExitStack() as stack:
        for _ in range(replays.REPLAYS):
            it = await stack.enter_async_context(listening(api.asgi, last_id=ready.id))
            assert (await it.next()).kind == "ready"
            it.reads.clear()
        waiting = await stack.enter_async_context(listening(api.asgi, last_id=ready.id))
        assert [(await waiting.next()).kind for _ in range(2)] == ["ready", "reset"]
        job_id = (await client.post("/refresh")).json()["job_id"]
        assert (await waiting.next()).data["job_id"] == job_id


async def test_who_reads_a_replay_too_slowly_is_cut_off(
    api: Api, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(api.asgi) as listener:
        ready = await listener.next()
        await client.post("/refresh")
        await listener.until(state="queued")
    monkeypatch.setattr(replays, "DEADLINE", 0.1)

    async with listening(api.asgi, last_id=ready.id) as listener:
        await listener.next()
        listener.reads.clear()
        async with asyncio.timeout(DEADLINE):
            await listener.cut.wait()


async def test_every_stream_ends_when_the_process_stops(
    api: Api, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "CLOSE_GRACE", DEADLINE)
    async with listening(api.asgi) as listener:
        await listener.next()
        api.end_streams()
        async with asyncio.timeout(DEADLINE):
            await listener.over.wait()

    assert not listener.cut.is_set()
    assert (await client.get("/events")).status_code == 503


async def test_a_process_that_stops_does_not_wait_for_who_does_not_read(
    api: Api, client: httpx2.AsyncClient
) -> None:
    async with listening(api.asgi) as listener, listening(api.asgi) as quick:
        await listener.next()
        listener.reads.clear()
        await client.post("/refresh")
        await quick.until(state="queued")
        api.end_streams()
        async with asyncio.timeout(DEADLINE):
            await listener.cut.wait()

    assert not listener.over.is_set()


async def test_a_head_has_no_end_to_wait_for(api: Api) -> None:
    async with listening(api.asgi, method="HEAD") as listener:
        assert await listener.body() == b""

    assert listener.headers["content-type"] == events.MEDIA_TYPE


async def test_while_postgres_was_never_there_nothing_can_be_told(unwired: Api) -> None:
    async with alive(unwired.asgi), listening(unwired.asgi) as listener:
        await listener.body()

    assert listener.status == 503
