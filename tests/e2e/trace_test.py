"""One trace follows a job through all three processes; and so do the logs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mousetrap.stack import ports
from support import processes
from support.collector import Collector, collecting
from support.streams import until

SOURCES = 'default = "demo"\n[sources.demo]\nkind = "faker"\ncount = 3\n'
DEPLOYABLES = ("api", "fetch_worker", "process_worker")

CALLER = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")

Running = dict[str, processes.Process]


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as found:
        yield found


@pytest.fixture
def port() -> int:
    return ports.free(1)[0]


@pytest.fixture
async def running(
    migrated_dsn: str, redis_url: str, collector: Collector, port: int, tmp_path: Path
) -> AsyncIterator[Running]:
    sources = tmp_path / "sources.toml"
    sources.write_text(SOURCES)
    settings: dict[str, str | None] = {
        "postgres_dsn": migrated_dsn,
        "redis_url": redis_url,
        "sources_file": str(sources),
        "otlp_endpoint": collector.endpoint,
        "port": str(port),
        "health_port": "0",
    }
    async with AsyncExitStack() as stack:
        found = {
            name: await stack.enter_async_context(processes.running(name, settings=settings))
            for name in DEPLOYABLES
        }
        await found["api"].logged("the API is served")
        for name in ("fetch_worker", "process_worker"):
            await found[name].logged("working")
        yield found


async def test_one_trace_follows_a_job_through_all_processes(
    running: Running, collector: Collector, port: int
) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        headers = {"traceparent": f"00-{CALLER[0]}-{CALLER[1]}-01"}
        answer = await client.post(f"http://127.0.0.1:{port}/refresh", headers=headers)
        accepted = answer.json()
    trace = accepted["job_id"].replace("-", "")

    async def complete() -> dict[str, dict[str, Any]]:
        spans = {span["service"]: span for span in collector.spans if span["traceId"] == trace}
        return spans if len(spans) == len(DEPLOYABLES) else {}

    spans = await until(complete)

    api, fetch, process = (spans[name] for name in ("api", "fetch-worker", "process-worker"))
    assert [span["name"] for span in (api, fetch, process)] == ["accept", "fetch", "process"]
    assert api["parentSpanId"] == ""
    [link] = api["links"]
    assert (link["traceId"], link["spanId"]) == CALLER
    assert fetch["parentSpanId"] == api["spanId"]
    assert process["parentSpanId"] == fetch["spanId"]
    for name, event in {
        "api": "request",
        "fetch_worker": "request answered",
        "process_worker": "outcome received",
    }.items():
        await running[name].logged(event, job_id=accepted["job_id"], trace_id=trace)
