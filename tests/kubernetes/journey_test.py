"""`helm test` on the real processes: it tells whether a refresh becomes a summary."""

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis

from deploy.files import text
from kubernetes.rendering import CHART, containers, of_kind, rendered
from mousetrap.stack import ports
from support import processes

SCRIPT: Final = (CHART / "files/journey.py").read_text("utf-8")


async def journey(*arguments: str) -> tuple[int, str]:
    """Run the test as its container does; return its exit code and what it says."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-IS", "-c", SCRIPT, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(60):
            said, _ = await child.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    assert child.returncode is not None
    return child.returncode, said.decode()


@pytest.fixture
def settings(tmp_path: Path, migrated_dsn: str, redis_url: str) -> dict[str, str | None]:
    sources = tmp_path / "sources.toml"
    sources.write_text('default = "demo"\n[sources.demo]\nkind = "faker"\ncount = 7\n')
    return {
        "postgres_dsn": migrated_dsn,
        "redis_url": redis_url,
        "sources_file": str(sources),
        "health_port": "0",
        "port": str(ports.free(1)[0]),
    }


@pytest.mark.parametrize("secret", [True, False])
async def test_journey_ends_well(
    settings: dict[str, str | None], raw: Redis, tmp_path: Path, *, secret: bool
) -> None:
    token = tmp_path / "operator_token"
    token.write_text("any\n")
    url = f"http://127.0.0.1:{settings['port']}"
    async with (
        processes.running("api", settings=settings),
        processes.running("fetch_worker", settings=settings),
        processes.running("process_worker", settings=settings),
    ):
        code, said = await journey(url, *([str(token)] if secret else []))

    assert (code, "'status': 'ready'" in said) == (0, True), said
    assert ("'state': 'succeeded'" in said) is secret
    assert await raw.ping()


def test_container_runs_the_script_with_the_address_and_the_token() -> None:
    container = containers(rendered("trial"))["test"]
    service = of_kind(rendered("trial"), "Service")["api"]["metadata"]["name"]

    assert container["command"] == ["/app/bin/python", "-IS", "-c"]
    assert container["args"] == [SCRIPT, f"http://{service}:8000", "/run/secrets/operator_token"]
    assert "'operator read,refresh" in text("secrets.sh")
