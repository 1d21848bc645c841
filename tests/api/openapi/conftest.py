"""Code that public generators make of the document, and answers that it must understand."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from api.conftest import NOWHERE_URL, CheckedApi, Document, Workers
from api.openapi.answers import JSON, Answer, Asked
from mousetrap.geo.batch import Batch
from mousetrap.geo.changes import Changes
from mousetrap.geo.summary import summarise
from support import samples
from support.probes import settled

BATCH = Batch((1.0, 2.0), (3.0, 4.0), (None, "b"), ("x", None), ("town", None), (2.5, None))
"""Points with every column, so that its summary has every member."""


def run(folder: Path, *command: str, **environment: str) -> None:
    """Run a program in a folder; a warning is as bad as a failure."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def generate(folder: Path, module: str, *options: str) -> None:
    """Run a generator that is written in Python."""
    path = ":".join(str(Path(it).absolute()) for it in sys.path)
    run(folder, sys.executable, "-m", module, *options, PYTHONPATH=path)


@pytest.fixture
async def answers(
    document: Document, client: httpx2.AsyncClient, workers: Workers, not_ready: httpx2.Response
) -> list[Answer]:
    """Every kind of answer in JSON to a request that succeeds, and problems with all members."""
    asked = Asked(document, client)
    await ask_of_jobs(asked, workers)
    await ask_of_summaries(asked)
    for operation in ("list_queues", "list_sources", "live"):
        await asked.ask(operation)
    asked.keep("ready", await settled(client))
    asked.keep("ready", not_ready)
    assert list(asked.missing()) == []
    return asked.answers


async def ask_of_jobs(asked: Asked, workers: Workers) -> None:
    """Ask for jobs in several states; at the end two have succeeded."""
    database, failed = workers.database, await workers.fail()
    for media in JSON:
        await asked.ask("get_newest_summary", headers={"Accept": media})
    await asked.ask("get_job", str(UUID(int=0)))
    await asked.ask("refresh", json={"source": 1})
    first, second = [(await asked.ask("refresh"))["job_id"] for _ in range(2)]
    await asked.ask("get_job", first)
    for job_id, since in ((first, Changes()), (second, Changes(UUID(first), 2, 0, ("a", "b")))):
        whole = summarise(BATCH, grid=True)
        await samples.succeed(database, UUID(job_id), batch=BATCH, summary=whole, changes=since)
    await database.dead_letters.keep([replace(samples.LETTER, job_id=UUID(failed))])
    await asked.ask("list_dead_letters")
    await asked.ask("list_jobs")
    for job_id in (second, failed):
        await asked.ask("get_job", job_id)
    await asked.ask("retry_job", failed)


async def ask_of_summaries(asked: Asked) -> None:
    newest = (await asked.ask("get_newest_summary"))["job_id"]
    await asked.ask("get_changes", newest)
    await asked.ask("list_summaries", params={"limit": 1})
    for media in JSON:
        headers = {"Accept": media}
        await asked.ask("get_newest_summary", headers=headers)
        await asked.ask("list_summaries", headers=headers)
        await asked.ask("get_summary", newest, headers=headers)
        await asked.ask("get_points", newest, headers=headers)


@pytest.fixture
async def not_ready(app: CheckedApi) -> httpx2.Response:
    """The answer of a process that does not reach Valkey."""
    async with app.serve(redis_url=NOWHERE_URL) as client:
        return await settled(client)
