"""One trace per job, whatever process a span is of; and nobody waits for a collector."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web

from mousetrap.stack import ports
from mousetrap.telemetry import otlp
from mousetrap.telemetry.traces import OFF, Kind, Tracer
from support import processes
from support.collector import collecting
from support.streams import until

JOB = UUID("5d3cbb36-7c3d-4a3e-9b4e-1f0f6a3f2c11")
ROOT = JOB.hex[16:]


async def test_without_an_endpoint_nothing_is_recorded_and_the_context_is_handed_on() -> None:
    parent = f"00-{JOB.hex}-00000000000000ab-01"

    with OFF.span("fetch", Kind.CONSUMER, JOB, parent=parent) as handed_on:
        pass
    with OFF.span("fetch", Kind.CONSUMER, JOB) as none:
        pass

    assert handed_on.traceparent == parent
    assert none.traceparent is None


async def test_the_trace_of_a_job_has_its_id() -> None:
    async with collecting() as collector, Tracer("api", collector.endpoint) as tracer:
        with tracer.span("accept", Kind.PRODUCER, JOB, begins=True, source="demo") as first:
            pass
        with tracer.span("fetch", Kind.CONSUMER, JOB, parent=first.traceparent) as second:
            pass
        with tracer.span("send again", Kind.PRODUCER, JOB):
            pass

    spans = collector.by_name()
    assert {span["traceId"] for span in spans.values()} == {JOB.hex}
    assert (spans["accept"]["spanId"], spans["accept"]["parentSpanId"]) == (ROOT, "")
    assert spans["fetch"]["parentSpanId"] == ROOT
    assert spans["send again"]["parentSpanId"] == ROOT
    assert second.traceparent == f"00-{JOB.hex}-{spans['fetch']['spanId']}-01"
    assert {"key": "mousetrap.source", "value": {"stringValue": "demo"}} in spans["accept"][
        "attributes"
    ]


async def test_what_raises_is_an_error_of_its_span() -> None:
    async with collecting() as collector, Tracer("api", collector.endpoint) as tracer:
        with (
            pytest.raises(ZeroDivisionError),
            tracer.span("fetch", Kind.CONSUMER, JOB),
        ):
            raise ZeroDivisionError("no")

    assert collector.by_name()["fetch"]["status"] == {"code": 2, "message": "ZeroDivisionError: no"}


@pytest.mark.parametrize(
    "parent",
    ["", "x", f"00-{UUID(int=1).hex}-00000000000000ab-01", f"00-{JOB.hex}-{'0' * 16}-01"],
    ids=["empty", "not one", "of another trace", "of no span"],
)
async def test_a_context_that_makes_no_sense_is_ignored(parent: str) -> None:
    async with collecting() as collector, Tracer("api", collector.endpoint) as tracer:
        with tracer.span("fetch", Kind.CONSUMER, JOB, parent=parent):
            pass

    assert collector.by_name()["fetch"]["parentSpanId"] == ROOT


def uuid7() -> UUID:
    """An id as Postgres makes them, of a fixed time."""
    return UUID(int=0x019A << 112 | 7 << 76 | 2 << 62 | secrets.randbits(62))


@pytest.mark.parametrize("make", [uuid4, uuid7])
async def test_a_share_of_the_jobs_is_traced_whole(make: Callable[[], UUID]) -> None:
    jobs = [make() for _ in range(400)]
    async with (
        collecting() as collector,
        Tracer("api", collector.endpoint, ratio=0.25) as first,
        Tracer("fetch-worker", collector.endpoint, ratio=1.0) as second,
    ):
        for job in jobs:
            with first.span("accept", Kind.PRODUCER, job, begins=True) as accepted:
                pass
            with second.span("fetch", Kind.CONSUMER, job, parent=accepted.traceparent):
                pass

    traced = [span["traceId"] for span in collector.spans if span["name"] == "accept"]
    assert 50 < len(traced) < 150
    fetched = [span["traceId"] for span in collector.spans if span["name"] == "fetch"]
    assert sorted(fetched) == sorted(traced)


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """A collector that takes connections and never answers."""

    async def never(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        server.close_clients()


async def test_a_silent_collector_holds_up_neither_work_nor_the_end() -> None:
    async with silent() as endpoint:
        tracer = Tracer("api", endpoint)
        await tracer.__aenter__()
        start = time.monotonic()
        for _ in range(1000):
            with tracer.span("fetch", Kind.CONSUMER, JOB):
                pass
        working = time.monotonic() - start
        await tracer.__aexit__()

    assert working < 1
    assert time.monotonic() - start < otlp.LAST_DEADLINE + 2


async def test_an_absent_collector_holds_up_the_end_no_longer() -> None:
    tracer = Tracer("api", f"http://127.0.0.1:{ports.free(1)[0]}")
    await tracer.__aenter__()
    with tracer.span("fetch", Kind.CONSUMER, JOB):
        pass
    start = time.monotonic()
    await tracer.__aexit__()

    assert time.monotonic() - start < otlp.LAST_DEADLINE + 1


async def test_a_collector_that_is_away_is_told_of_once_and_gets_the_newest_spans(
    events: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "PERIOD", 0.02)
    monkeypatch.setattr(otlp, "MOST_KEPT", 10)
    async with collecting(status=503) as collector, Tracer("api", collector.endpoint) as tracer:
        with tracer.span("first", Kind.CONSUMER, JOB):
            pass

        async def refused() -> bool:
            return collector.requests > 1

        await until(refused)
        for number in range(30):
            with tracer.span(str(number), Kind.CONSUMER, JOB):
                pass
        collector.status = 200

        async def received() -> bool:
            return len(collector.spans) > 1

        await until(received)

    assert list(collector.by_name()) == ["first", *(str(number) for number in range(20, 30))]
    assert [it["event"] for it in events] == ["traces are not sent", "traces are sent again"]


async def test_a_batch_that_a_collector_will_never_take_is_not_sent_twice(
    events: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(otlp, "PERIOD", 0.02)
    async with (
        collecting(status=web.HTTPNotFound.status_code) as collector,
        Tracer("api", collector.endpoint) as tracer,
    ):
        with tracer.span("fetch", Kind.CONSUMER, JOB):
            pass

        async def refused() -> bool:
            return bool(events)

        await until(refused)

    assert collector.requests == 1
    assert "404" in events[0]["reason"]


async def test_a_collector_behind_a_key_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=5%20mice")
    async with (
        collecting(key="5 mice") as collector,
        Tracer("api", collector.endpoint) as tracer,
    ):
        with tracer.span("fetch", Kind.CONSUMER, JOB):
            pass

    assert list(collector.by_name()) == ["fetch"]


def test_the_sdk_is_imported_only_to_send() -> None:
    assert processes.printed("""
import asyncio, sys
from uuid import uuid4
from mousetrap.telemetry.traces import Kind, Tracer
async def main():
    async with Tracer("api") as tracer:
        with tracer.span("fetch", Kind.CONSUMER, uuid4()):
            print([name for name in sys.modules if name.startswith("opentelemetry")])
asyncio.run(main())
""") == "[]\n"
