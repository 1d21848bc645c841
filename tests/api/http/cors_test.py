import httpx2
import msgspec
import pytest

from mousetrap.api.http import cors
from mousetrap.api.http.limits import Application, Limits, Receive, Scope, Send
from mousetrap.api.metrics import ApiMetrics
from mousetrap.settings.process import ApiSettings

MAPS, OTHER = "https://maps.example", "http://localhost:5173"
PREFLIGHT = {"Access-Control-Request-Method": "POST"}


@pytest.fixture
def settings(settings: ApiSettings) -> ApiSettings:
    return msgspec.structs.replace(settings, cors_origins=f"{MAPS},{OTHER}")


@pytest.mark.parametrize("origin", [MAPS, OTHER])
@pytest.mark.parametrize("path", ["/", "/nope", "/jobs?limit=0"])
async def test_a_page_of_a_listed_origin_may_read(
    client: httpx2.AsyncClient, origin: str, path: str
) -> None:
    answer = await client.get(path, headers={"Origin": origin})

    assert answer.headers["access-control-allow-origin"] == origin
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert exposed == {"ETag", "Link", "Location", "Retry-After", "X-Request-ID"}
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_it_may_read_that_its_body_is_too_large(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/refresh", content=b"x" * 20_000, headers={"Origin": MAPS})

    assert answer.status_code == 413
    assert answer.headers["access-control-allow-origin"] == MAPS


async def test_it_may_read_that_the_process_has_too_many_requests() -> None:
    async with client_of(cors.allow(Limits(empty, ApiMetrics(), max_in_flight=0), MAPS)) as caller:
        answer = await caller.get("/", headers={"Origin": MAPS})

    assert answer.status_code == 503
    assert answer.headers["access-control-allow-origin"] == MAPS
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    "origin", [None, "null", "https://maps.example.evil", "http://maps.example"]
)
async def test_a_page_of_another_origin_may_not(
    client: httpx2.AsyncClient, origin: str | None
) -> None:
    answer = await client.options(
        "/refresh", headers=PREFLIGHT | ({} if origin is None else {"Origin": origin})
    )

    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_a_preflight_is_told_what_may_be_sent(
    client: httpx2.AsyncClient, method: str
) -> None:
    asked = {"Origin": MAPS, "Access-Control-Request-Method": method}
    answer = await client.options("/refresh", headers=asked)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == MAPS
    assert method in answer.headers["access-control-allow-methods"].split(", ")
    assert "Idempotency-Key" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "7200"


async def test_a_preflight_for_anything_else_fails(client: httpx2.AsyncClient) -> None:
    asked = {"Origin": MAPS, "Access-Control-Request-Method": "DELETE"}

    assert (await client.options("/refresh", headers=asked)).status_code == 400


@pytest.mark.parametrize("origins", ["*", ""])
async def test_all_may_or_none(origins: str) -> None:
    async with client_of(cors.allow(empty, origins)) as caller:
        answer = await caller.get("/", headers={"Origin": MAPS})

    assert answer.headers.get("access-control-allow-origin", "") == origins


async def empty(_: Scope, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def client_of(app: Application) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://mousetrap.test", timeout=10
    )
