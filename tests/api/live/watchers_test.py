"""The end of a watcher of the API shows: in readiness, or as the end of the process."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx2
import pytest

from api.conftest import CheckedApi
from mousetrap.store.schema.grants import Roles
from mousetrap.store.schema.migrations import migrate
from support import processes
from support.postgres import Connection

TRUNCATE = "TRUNCATE job CASCADE"  # summaries have changed, which the cache has to read
LISTENING = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE '%notices'
"""
BROKEN = """
import sys
from mousetrap.api.__main__ import main
from {module} import {kind}

async def fail(*_):
    raise ZeroDivisionError("surprise")

{kind}.watch = fail
sys.exit(main([]))
"""


@pytest.fixture
async def operator(dsn: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
    try:
        yield connection
    finally:
        await connection.close(timeout=10)


@pytest.fixture
async def role(dsn: str, operator: Connection) -> AsyncIterator[str]:
    """A role with the rights of the API."""
    name = f"api-{uuid4().hex}"
    await operator.execute(f'CREATE ROLE "{name}" LOGIN')
    await migrate(dsn, roles=Roles(api=name))
    yield name
    await operator.execute(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')


async def checks(client: httpx2.AsyncClient, status: int, name: str, said: str) -> None:
    """Wait until readiness has a status, and says this of a check."""
    async with asyncio.timeout(20):
        while True:
            await client.get("/")  # somebody wants the newest summary
            answer = await client.get("/health/ready")
            if answer.status_code == status and said in answer.json()["checks"][name]:
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("name", "table", "disturb"),
    [
        ("backlog", "job", "SELECT 1"),
        ("notices", "job", LISTENING),
        ("summaries", "summary", TRUNCATE),
    ],
    ids=["backlog", "notices", "summaries"],
)
async def test_a_watcher_without_its_grant_makes_the_api_unready_until_it_has_it_again(  # noqa: PLR0913, PLR0917 - fixtures
    app: CheckedApi,
    operator: Connection,
    role: str,
    name: str,
    table: str,
    disturb: str,
) -> None:
    dsn = app.settings.postgres_dsn.replace("//postgres@", f"//{role}@")
    async with app.serve(postgres_dsn=dsn) as client:
        await checks(client, 200, name, "ok")

        right = f"SELECT ON {table}"
        await operator.execute(f'REVOKE {right} FROM "{role}"')
        await operator.execute(disturb)
        await checks(client, 503, name, f"permission denied for table {table}")

        await operator.execute(f'GRANT {right} TO "{role}"')
        await checks(client, 200, name, "ok")


@pytest.mark.parametrize(
    "watcher",
    [
        "mousetrap.api.http.authentication.Tokens",
        "mousetrap.api.live.admission.Admission",
        "mousetrap.api.live.broadcast.Broadcast",
        "mousetrap.api.live.summary_cache.SummaryCache",
        "mousetrap.store.notices.Notices",
        "mousetrap.telemetry.health.Health",
        "mousetrap.telemetry.metrics.Metrics",
    ],
)
async def test_a_watcher_that_fails_unexpectedly_ends_the_process(
    dsn: str, redis_url: str, port: int, tmp_path: Path, watcher: str
) -> None:
    sources = tmp_path / "sources.toml"
    sources.write_text('default = "demo"\n[sources.demo]\nkind = "faker"\n')
    tokens = tmp_path / "tokens"
    tokens.write_text(f"maps read {sha256(b'key').hexdigest()}\n")
    module, _, kind = watcher.rpartition(".")
    async with processes.python(
        "-c",
        BROKEN.format(module=module, kind=kind),
        MOUSETRAP_POSTGRES_DSN=dsn,
        MOUSETRAP_REDIS_URL=redis_url,
        MOUSETRAP_SOURCES_FILE=str(sources),
        MOUSETRAP_API_TOKENS_FILE=str(tokens),
        MOUSETRAP_PORT=str(port),
    ) as process:
        assert await process.end() == (1, "")

    [failure] = [line for line in process.lines if line["level"] == "error"]
    assert failure["event"] == "a loop of this process failed, the process ends"
    assert "ZeroDivisionError: surprise" in failure["exception"]
    assert process.all_logged("stopped")
