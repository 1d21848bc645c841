"""The API below /geo/ of a real nginx: whatever link is followed, it leads somewhere."""

import asyncio
import hashlib
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from uuid import UUID

import httpx2
import pytest

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.store.database import Database
from support import nginx
from support.batches import summarise
from support.nginx import ROOT
from support.processes import PYTHON_PATH, Starter
from support.samples import REPORT

pytestmark = nginx.NEEDED

TOKEN = "letmein"  # noqa: S105 - no token of anything
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
LINK = re.compile(r'(?:src|href)="([^"]+)"')
IMPORT = re.compile(r'from "([^"]+)"')
POINTS = (Point(38.5, -121.5, "Sacramento"),)


BOTH = pytest.mark.parametrize(
    "url", [True, False], ids=["path removed", "path left"], indirect=True
)


@pytest.fixture
async def url(
    start: Starter, port: int, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[str]:
    """Where people find the API; the parameter says whether nginx removes the path."""
    tokens = tmp_path / "tokens"
    tokens.write_text(f"maps read,refresh,operate,metrics {DIGEST}\n")
    api = await start(root_path=ROOT, api_tokens_file=str(tokens))
    await api.logged("the API is served")
    with nginx.before(port, tmp_path / "nginx", removed=getattr(request, "param", True)) as found:
        yield found


@pytest.fixture
async def people(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that is signed in, and knows no path but those that it is told."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=20) as client:
        async with asyncio.timeout(20):
            while (await client.get(f"{url}/health/ready")).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield client


async def succeed(database: Database, job_id: str) -> None:
    await database.outcomes.succeed(
        UUID(job_id),
        attempt=1,
        fetched_at=datetime.now(UTC),
        summary=summarise(POINTS),
        report=REPORT,
        batch=Batch.of(POINTS),
    )


def links(base: str, body: str) -> Iterator[str]:
    """Yield the addresses of all links of a page or a script."""
    for link in (*LINK.findall(body), *IMPORT.findall(body)):
        yield urljoin(base, link)


@BOTH
async def test_every_link_of_the_pages_leads_somewhere(
    people: httpx2.AsyncClient, url: str
) -> None:
    waiting = [f"{url}/{page}" for page in ("dashboard", "docs", "dashboard/sign-in.html")]
    seen: set[str] = set()
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        answer = await people.get(page)
        assert answer.status_code == 200, page
        assert urlsplit(page).path.startswith(f"{ROOT}/"), page
        of_ours = "/swagger-ui/" not in page
        if of_ours and answer.headers["content-type"].startswith(("text/html", "text/javascript")):
            waiting.extend(links(page, answer.text))
    found = {page.removeprefix(url) for page in seen}
    assert found >= {"/", "/sources", "/docs", "/dashboard/api.js", "/dashboard/map/land-110m.json"}

    for page in ("dashboard", "docs"):
        answer = await people.get(f"{url}/{page}/?source=demo", follow_redirects=True)
        assert (answer.status_code, str(answer.url)) == (200, f"{url}/{page}?source=demo")


@BOTH
async def test_every_link_of_an_answer_leads_somewhere(
    people: httpx2.AsyncClient, url: str, database: Database
) -> None:
    for _ in range(3):
        accepted = await people.post(f"{url}/refresh")
        await succeed(database, accepted.json()["job_id"])

    job = await people.get(urljoin(url, accepted.headers["location"]))
    summary = await people.get(urljoin(url, job.json()["links"]["summary"]))
    assert summary.json()["count"] == 1

    for listing in ("jobs", "summaries"):
        answer, count = await people.get(f"{url}/{listing}?limit=1"), 1
        while following := answer.links.get("next"):
            answer, count = await people.get(urljoin(url, following["url"])), count + 1
            assert len(answer.json()["items"]) == 1
        assert count == 3


async def test_operations_are_found_by_the_document(people: httpx2.AsyncClient, url: str) -> None:
    where = f"{url}/docs/openapi.json"
    document = (await people.get(where)).json()
    [server] = document["servers"]

    base = urljoin(where, server["url"])
    for path, operations in document["paths"].items():
        if "get" in operations and "{" not in path and path != "/events":
            assert (await people.get(base + path)).status_code == 200, path


async def test_events_come_at_once_with_the_links_of_their_jobs(
    people: httpx2.AsyncClient, url: str, database: Database
) -> None:
    async with people.stream("GET", f"{url}/events") as stream, asyncio.timeout(20):
        lines = stream.aiter_lines()
        assert "event: ready" in [await anext(lines), await anext(lines), await anext(lines)]
        accepted = await people.post(f"{url}/refresh")
        await succeed(database, accepted.json()["job_id"])
        async for line in lines:
            event: dict[str, Any] = json.loads(line[6:]) if line.startswith("data: {") else {}
            if event.get("state") == "succeeded":
                break

    assert event["links"]["summary"] == f"{ROOT}/summaries/{event['job_id']}"


async def test_a_session_is_that_of_the_path(people: httpx2.AsyncClient, url: str) -> None:
    signed_in = await people.post(f"{url}/dashboard/session")

    assert f"Path={ROOT};" in signed_in.headers["set-cookie"]
    del people.headers["Authorization"]
    assert (await people.get(f"{url}/dashboard/session")).json()["name"] == "maps"
    assert (await people.get(f"{url}/jobs")).status_code == 200
    await people.delete(f"{url}/dashboard/session")
    assert (await people.get(f"{url}/jobs")).status_code == 401


@pytest.mark.usefixtures("people")
async def test_the_command_line_takes_the_address_with_the_path(url: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)

    async def mousetrap(*arguments: str) -> str:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mousetrap.cli", "--url", f"{url}/", *arguments),
            env={**os.environ, "PYTHONPATH": PYTHON_PATH, "HOME": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(30):
            said, _ = await child.communicate()
        assert child.returncode == 0, said
        return said.decode()

    assert f"signed in to {url} as maps" in await mousetrap("login", "--token-file", str(token))
    assert ": accepted; " in await mousetrap("refresh", "demo")
    assert "queued" in await mousetrap("jobs")
