"""The API with tokens against its own OpenAPI document, with jobs that succeed and that fail."""

import asyncio
import contextlib
import hashlib
import os
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from mousetrap.messages.dead_letter import DeadLetter
from mousetrap.stack import ports
from mousetrap.store.database import Database
from support import processes

DEADLINE = 240.0
"""Seconds; it takes some twenty where nothing else runs."""

TOKEN = "a-token-for-everything"  # noqa: S105 - of this test alone
AUTHORIZATION = f"Bearer {TOKEN}"
SOURCES = """\
default = "stations"
[sources.stations]
kind = "file"
path = "stations.csv"
id = "id"
changes = true
[sources.demo]
kind = "faker"
count = 3
[sources.nowhere]
kind = "geojson"
url = "http://127.0.0.1:9/nothing.geojson"
allow_private = true
"""

# All checks in all phases: examples, coverage, fuzzing, and stateful along the links.
CONFIGURATION = """\
color = false
continue-on-failure = true
max-failures = 20

[generation]
deterministic = true
max-examples = 30

# An operation of which nothing but errors was seen was not tested.
[warnings]
fail-on = true

# A stream that does not end; tests/api/routes/events_test.py has it.
[[operations]]
include-name = "GET /events"
enabled = false

# A key that was used with another body is refused with 422: so the IETF's draft of the header,
# draft-ietf-httpapi-idempotency-key-header, section 2.7. A schema cannot tell which those are.
[[operations]]
include-name = "POST /refresh"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "422", "503"]
"""


@pytest.fixture
async def url(migrated_dsn: str, redis_url: str, tmp_path: Path) -> AsyncIterator[str]:
    """The system with a job of each end, and a dead letter."""
    sources = tmp_path / "sources.toml"
    sources.write_text(SOURCES)
    (tmp_path / "stations.csv").write_text("id,name,lat,lon\na,Suva,-18.14,178.44\n")
    tokens = tmp_path / "tokens"
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    tokens.write_text(f"fuzzer read,refresh,operate,metrics {digest}\n")
    [port] = ports.free(1)
    settings: dict[str, str | None] = {
        "postgres_dsn": migrated_dsn,
        "redis_url": redis_url,
        "sources_file": str(sources),
        "api_tokens_file": str(tokens),
        "rate_limit": "0",
        "port": str(port),
        "health_port": "0",
        "max_attempts": "1",
    }
    found = f"http://127.0.0.1:{port}"
    async with contextlib.AsyncExitStack() as stack:
        api, *workers = [
            await stack.enter_async_context(processes.running(name, settings=settings))
            for name in ("api", "fetch_worker", "process_worker")
        ]
        await api.logged("the API is served")
        for worker in workers:
            await worker.ready()
        headers = {"Authorization": AUTHORIZATION}
        client = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=found, headers=headers, timeout=10)
        )
        # The second summary of the stations has a first one to be compared with.
        done = "succeeded"
        for source, state in (
            *(("stations", done), ("stations", done), ("demo", done)),
            ("nowhere", "failed"),
        ):
            job = (await client.post("/refresh", json={"source": source})).headers["location"]
            assert await ended(client, job) == state
        async with Database(migrated_dsn) as database:
            job_id = uuid.UUID(job.removeprefix("/jobs/"))
            letter = DeadLetter("mousetrap:fetch", "1-0", b"{}", "unreadable", job_id, 1)
            await database.dead_letters.keep([letter])
        yield found


async def ended(client: httpx2.AsyncClient, job: str) -> str:
    async with asyncio.timeout(30):
        while True:
            state: str = (await client.get(job)).json()["state"]
            if state != "queued":
                return state
            await asyncio.sleep(0.05)


@pytest.mark.timeout(300)
async def test_schemathesis_finds_nothing(url: str, tmp_path: Path) -> None:
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    options = ["--config-file", str(configuration), "run", f"{url}/docs/openapi.json"]
    options += ["--header", f"Authorization: {AUTHORIZATION}"]

    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", *options, "--checks", "all"),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": processes.PYTHON_PATH, "COLUMNS": "100"},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(DEADLINE):
            said, _ = await child.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()

    assert child.returncode == 0, said.decode()
