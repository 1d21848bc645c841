"""The API in this process or in one of its own, in front of real servers."""

import asyncio
import contextlib
import copy
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import msgspec
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.schemas import OpenApiSchema

from mousetrap.api.app import Api, create_app
from mousetrap.api.http.limits import Application, Message
from mousetrap.api.openapi.document import refine
from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.jobs.job import Failure
from mousetrap.jobs.retry import RetryPolicy
from mousetrap.settings.process import ApiSettings
from mousetrap.settings.secrets import Secret
from mousetrap.settings.source_kinds import FakerSettings, GeojsonSettings
from mousetrap.settings.sources import Sources
from mousetrap.stack import ports
from mousetrap.stack.servers import Servers
from mousetrap.store.database import Database
from mousetrap.store.outcomes import Change
from mousetrap.store.schema.migrations import migrate
from support.batches import summarise
from support.processes import Starter
from support.samples import REPORT

SOURCES = Sources(
    default="demo",
    sources={
        "demo": FakerSettings(),
        "earthquakes": GeojsonSettings(
            url="http://127.0.0.1:9/all_week.geojson",
            every="5m",
            headers={"X-Key": "canary", "Authorization": Secret(env="CANARY")},
            params={"key": "canary"},
            body={"key": "canary"},
        ),
    },
)
SOURCES_TOML = """\
default = "demo"
[sources.demo]
kind = "faker"
[sources.earthquakes]
kind = "geojson"
url = "http://127.0.0.1:9/all_week.geojson"
headers = { Authorization = { env = "NOT_SET_FOR_THE_API" } }
"""
HOST = "mousetrap.test"
BASE_URL = f"http://{HOST}"
NOWHERE_DSN = "postgresql://postgres@/nowhere?host=/nonexistent"
NOWHERE_URL = "unix:///nonexistent/valkey"
NOWHERE = ApiSettings(
    postgres_dsn=NOWHERE_DSN, redis_url=NOWHERE_URL, sources_file="unread", allowed_hosts=HOST
)
POINTS = (Point(38.5, -121.5, "Sacramento"), Point(57.15, -2.11, "Aberdeen"))

CHECKS = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]

Document = dict[str, Any]


@pytest.fixture(scope="session")
def migrated(servers: Servers) -> str:
    """A database with our schema."""

    async def make() -> str:
        name = f"api_{uuid.uuid4().hex}"
        await execute(servers.postgres_dsn, f"CREATE DATABASE {name}")
        await migrate(servers.database(name))
        return servers.database(name)

    return asyncio.run(make())


@pytest.fixture
async def dsn(migrated: str) -> str:
    """A database with our schema and nothing in it."""
    await execute(migrated, "TRUNCATE job, dead_letter CASCADE")
    return migrated


async def execute(dsn: str, statement: str) -> None:
    admin = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
    try:
        await admin.execute(statement)
    finally:
        await admin.close(timeout=10)


async def lose_reports(dsn: str) -> None:
    """Make all summaries such as an earlier version stored them, without a report."""
    rest = "substr((document::jsonb - 'feed' - 'version')::text, 2)"
    await execute(
        dsn, f"UPDATE summary SET document = ('{{\"version\":1,' || {rest})::json"  # noqa: S608
    )


@pytest.fixture
def settings(dsn: str, redis_url: str) -> ApiSettings:
    return ApiSettings(
        postgres_dsn=dsn, redis_url=redis_url, sources_file="unread", allowed_hosts=HOST
    )


@dataclass(frozen=True)
class CheckedApi:
    """The API in this process; every answer is held against the OpenAPI document."""

    settings: ApiSettings
    contract: OpenApiSchema

    @contextlib.asynccontextmanager
    async def serve(
        self, sources: Sources = SOURCES, /, **changes: str | int
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """Serve it with these changes of its settings."""
        api = create_app(msgspec.structs.replace(self.settings, **changes), sources)
        async with (
            alive(api.asgi),
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(api.asgi),
                base_url=BASE_URL,
                event_hooks={"response": [self._check]},
            ) as found,
        ):
            yield found

    async def _check(self, response: httpx2.Response) -> None:
        await response.aread()
        if not hasattr(response.request, "_content"):
            # It was streamed, perhaps without end; schemathesis shows the body of a request.
            response.request._content = b""  # noqa: SLF001
        method, path = response.request.method, response.request.url.path
        operation = self.contract.find_operation_by_path(method, path)
        if operation is None or operation.method.upper() != method:
            return  # the document does not hold it; a HEAD finds its GET
        parts = zip(operation.path.split("/"), path.split("/"), strict=True)
        parameters = {name[1:-1]: value for name, value in parts if name.startswith("{")}
        operation.Case(path_parameters=parameters).validate_response(response, checks=CHECKS)
        assert response.status_code != HTTPStatus.NOT_MODIFIED or response.content == b""


@pytest.fixture
def app(settings: ApiSettings, contract: OpenApiSchema) -> CheckedApi:
    return CheckedApi(settings, contract)


@pytest.fixture
async def client(app: CheckedApi) -> AsyncIterator[httpx2.AsyncClient]:
    async with app.serve() as found:
        yield found


@pytest.fixture
def unwired() -> Api:
    """The API as it is before it runs; it cannot reach anything."""
    return create_app(NOWHERE, SOURCES)


@pytest.fixture(scope="session")
def document() -> Document:
    """The OpenAPI document."""
    return refine(create_app(NOWHERE, SOURCES).litestar.openapi_schema.to_schema())


@pytest.fixture(scope="session")
def contract(document: Document) -> OpenApiSchema:
    """The OpenAPI document, made strict: no other fields, and those with a default are sent."""
    strict = copy.deepcopy(document)
    for schema in strict["components"]["schemas"].values():
        fields = schema.get("properties", {})
        if fields:
            defaults = {name for name, field in fields.items() if "default" in field}
            schema["required"] = sorted(defaults.union(schema.get("required", ())))
            schema["additionalProperties"] = False
    found = schemathesis.openapi.from_dict(strict)
    found.config.update(base_url=BASE_URL)
    return found


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """The database as another process has it open."""
    async with Database(dsn) as found:
        yield found


@dataclass(frozen=True)
class Workers:
    """Ends jobs as the workers of the pipeline do."""

    client: httpx2.AsyncClient
    database: Database

    async def succeed(
        self,
        job_id: str | None = None,
        source: str = "demo",
        points: tuple[Point, ...] = POINTS,
    ) -> str:
        """Let a job succeed; a new one unless told which."""
        if job_id is None:
            job_id = (await self.client.post("/refresh", json={"source": source})).json()["job_id"]
        change = await self.database.outcomes.succeed(
            uuid.UUID(job_id),
            attempt=1,
            fetched_at=datetime.now(UTC),
            summary=summarise(points),
            batch=Batch.of(points),
            report=REPORT,
        )
        assert change is Change.ENDED
        # `GET /` does not forget a job that a caller has been shown.
        await self.client.get(f"/jobs/{job_id}")
        return job_id

    async def fail(self) -> str:
        """Let a new job fail."""
        job_id: str = (await self.client.post("/refresh")).json()["job_id"]
        failure = Failure("timeout", "no answer within 20 s: look at the source")
        await self.database.outcomes.fail(
            uuid.UUID(job_id),
            failure,
            attempt=1,
            at=datetime.now(UTC),
            retryable=False,
            policy=RetryPolicy(attempts=5, first_delay=1.0, lease=10.0),
        )
        return job_id


@pytest.fixture
def workers(client: httpx2.AsyncClient, database: Database) -> Workers:
    return Workers(client, database)


@contextlib.asynccontextmanager
async def alive(app: Application) -> AsyncIterator[None]:
    """Run the lifespan of an application in a task of its own, as a server does."""
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()

    async def live() -> None:
        await app({"type": "lifespan", "state": {}}, inbox.get, outbox.put)

    running = asyncio.create_task(live())
    await inbox.put({"type": "lifespan.startup"})
    assert await outbox.get() == {"type": "lifespan.startup.complete"}
    try:
        yield
    finally:
        await inbox.put({"type": "lifespan.shutdown"})
        await running


@pytest.fixture
def port() -> int:
    """Where the process is to listen."""
    return ports.free(1)[0]


@pytest.fixture
async def start(dsn: str, redis_url: str, port: int, tmp_path: Path) -> AsyncIterator[Starter]:
    file = tmp_path / "sources.toml"
    file.write_text(SOURCES_TOML)
    async with Starter(
        "api",
        postgres_dsn=dsn,
        redis_url=redis_url,
        sources_file=str(file),
        port=str(port),
        allowed_hosts=HOST,
    ) as found:
        yield found
