"""`helm test` on the real processes: it tells whether a refresh becomes a summary."""

import asyncio
import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, Final

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


class Api(BaseHTTPRequestHandler):
    """Stands in for an API: gives the next of the answers to each path."""

    answers: ClassVar[dict[str, list[tuple[int, object]]]] = {}

    def answer(self) -> None:
        status, body = self.answers[self.path].pop(0)
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer  # noqa: N815 - their names are fixed

    def log_message(self, *_: object) -> None:
        """Be silent."""


@contextlib.contextmanager
def standing_in(**answers: list[tuple[int, object]]) -> Iterator[str]:
    """Serve answers to the paths that end with the names."""
    paths = {"ready": "/health/ready", "refresh": "/refresh", "job": "/jobs/1"}
    found = {paths[name]: list(each) for name, each in answers.items()}
    handler = type("Answering", (Api,), {"answers": found})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


async def test_refusals_that_pass_do_not_end_it(tmp_path: Path) -> None:
    token = tmp_path / "operator_token"
    token.write_text("any")
    with standing_in(
        ready=[(503, {}), (200, {})],
        refresh=[(429, {}), (202, {"job_id": 1})],
        job=[(503, {}), (200, {"state": "queued"}), (200, {"state": "succeeded"})],
    ) as url:
        code, said = await journey(url, str(token))

    assert (code, "'state': 'succeeded'" in said) == (0, True), said


async def test_refusal_that_stays_ends_it_in_one_line(tmp_path: Path) -> None:
    token = tmp_path / "operator_token"
    token.write_text("any")
    with standing_in(ready=[(200, {})], refresh=[(403, {})]) as url:
        code, said = await journey(url, str(token))

    assert (code, said) == (1, "ready: {}\nnot refreshed: HTTP Error 403: Forbidden\n")


def test_container_runs_the_script_with_the_address_and_the_token() -> None:
    container = containers(rendered("trial"))["test"]
    service = of_kind(rendered("trial"), "Service")["api"]["metadata"]["name"]

    assert container["command"] == ["/app/bin/python", "-IS", "-c"]
    assert container["args"] == [SCRIPT, f"http://{service}:8000", "/run/secrets/operator_token"]
    assert "'operator read,refresh" in text("secrets.sh")
