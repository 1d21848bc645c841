"""The PEX files as an operator runs them, against real servers."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from artefacts.files import PYTHON, pex
from mousetrap.stack import ports

# Three files are unpacked at once, which takes most of a minute where other tests run beside it.
DEADLINE = 110.0


@contextlib.asynccontextmanager
async def running(
    name: str, environment: dict[str, str], *arguments: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    child = await asyncio.create_subprocess_exec(
        *(PYTHON, "-I", str(pex(name)), *arguments),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


@pytest.fixture
def environment(tmp_path: Path, postgres_dsn: str, redis_url: str) -> dict[str, str]:
    sources = tmp_path / "sources.toml"
    sources.write_text('default = "demo"\n[sources.demo]\nkind = "faker"\ncount = 7\n')
    secret = tmp_path / "postgres-dsn"
    secret.write_text(f"{postgres_dsn}\n")
    return {
        "HOME": str(tmp_path),
        "PEX_ROOT": str(tmp_path / "pex"),
        "MOUSETRAP_POSTGRES_DSN_FILE": str(secret),
        "MOUSETRAP_REDIS_URL": redis_url,
        "MOUSETRAP_SOURCES_FILE": str(sources),
        "MOUSETRAP_HEALTH_PORT": "0",
        "MOUSETRAP_PORT": str(ports.free(1)[0]),
    }


async def test_three_files_are_the_whole_system(environment: dict[str, str]) -> None:
    url = f"http://127.0.0.1:{environment['MOUSETRAP_PORT']}"
    async with (
        asyncio.timeout(DEADLINE),
        running("api", environment) as api,
        running("fetch_worker", environment) as fetch_worker,
        running("process_worker", environment) as process_worker,
        httpx2.AsyncClient(base_url=url, trust_env=False, timeout=10) as http,
    ):
        async with running("process_worker", environment, "migrate") as migrate:
            assert await migrate.wait() == 0
        async for _ in polling():
            with contextlib.suppress(httpx2.TransportError):
                if (await http.get("/health/ready")).status_code == httpx2.codes.OK:
                    break
        job = (await http.post("/refresh")).headers["location"]
        async for _ in polling():
            if (await http.get(job)).json()["state"] != "queued":
                break
        assert (await http.get("/")).json()["count"] == 7

        for process in (api, fetch_worker, process_worker):
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0


async def polling() -> AsyncIterator[None]:
    """Turn after turn until the caller leaves, or its deadline."""
    while True:
        yield
        await asyncio.sleep(0.05)
