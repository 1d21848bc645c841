"""A client that a public generator makes of our document understands our answers."""

import importlib
import json
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
import pytest

from api.conftest import Document, Workers
from api.openapi.conftest import generate
from mousetrap.api.openapi.document import operations


class Generated:
    """The generated package: its operations by id, its models by name, and a client of it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.models = importlib.import_module(f"{name}.models")
        self.connect = importlib.import_module(name).Client

    def operation(self, tag: str, operation_id: str) -> Any:
        return importlib.import_module(f"{self._name}.api.{tag}.{operation_id}")


@pytest.fixture(scope="session")
def generated(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Generated:
    """A client of the document, of which the generator says that nothing is left out."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "config.json").write_text('{"post_hooks": []}')  # it would format and lint the code
    options = {
        "path": "openapi.json",
        "config": "config.json",
        "meta": "none",
        "output-path": "mousetrap_client",
    }
    generate(
        folder,
        "openapi_python_client",
        *("generate", "--fail-on-warning"),
        *(f"--{name}={value}" for name, value in options.items()),
    )
    sys.path.append(str(folder))
    return Generated("mousetrap_client")


def test_has_every_operation(generated: Generated, document: Document) -> None:
    for operation in operations(document):
        found = generated.operation(operation["tags"][0], operation["operationId"])
        assert callable(found.asyncio_detailed)


async def test_makes_the_journey(
    generated: Generated, client: httpx2.AsyncClient, workers: Workers
) -> None:
    ours = generated.connect(base_url=str(client.base_url)).set_async_httpx_client(client)

    async def ask(tag: str, operation_id: str, *args: Any, **kwargs: Any) -> Any:
        return await generated.operation(tag, operation_id).asyncio(*args, client=ours, **kwargs)

    begun = datetime.now(UTC)
    wanted = generated.models.RefreshRequest(source="demo")
    accepted = await ask("jobs", "refresh", body=wanted)
    waiting = await ask("jobs", "get_job", accepted.job_id)
    await workers.succeed(str(accepted.job_id))
    ended = await ask("jobs", "get_job", accepted.job_id)
    newest = await ask("summaries", "get_newest_summary", source="demo")
    page = await ask("summaries", "list_summaries", since=begun.replace(year=2000), limit=1)
    [source] = [it for it in (await ask("sources", "list_sources")).items if it.default]
    nothing = await ask("summaries", "get_newest_summary", source="earthquakes")
    missing = await ask("jobs", "get_job", UUID(int=0))

    assert isinstance(accepted.job_id, UUID)
    assert (waiting.state, ended.state) == ("queued", "succeeded")
    assert (waiting.finished_at, ended.links.summary) == (None, f"/summaries/{accepted.job_id}")
    assert newest.job_id == accepted.job_id
    assert newest.requested_at.tzinfo is not None
    assert newest.requested_at <= newest.fetched_at <= newest.finished_at == ended.finished_at
    assert len(newest.bbox) == 4
    assert [it.to_dict() for it in page.items] == [newest.to_dict()]
    assert source.newest == newest
    assert nothing == generated.models.NoSummary()
    assert missing.type_ == "urn:mousetrap:problem:unknown-job"
