import httpx
import msgspec
import pytest

from mousetrap.api.http import cors
from mousetrap.api.http.limits import Receive, Scope, Send
from mousetrap.settings.process import ApiSettings

MAPS, OTHER = "https://maps.example", "http://localhost:5173"
PREFLIGHT = {"Access-Control-Request-Method": "POST"}


@pytest.fixture
def settings(settings: ApiSettings) -> ApiSettings:
    return msgspec.structs.replace(settings, cors_origins=f"{MAPS},{OTHER}")


@pytest.mark.parametrize("origin", [MAPS, OTHER])
@pytest.mark.parametrize("path", ["/", "/nope", "/jobs?limit=0"])
async def test_a_page_of_a_listed_origin_may_read(
    client: httpx.AsyncClient, origin: str, path: str
) -> None:
    answer = await client.get(path, headers={"Origin": origin})

    assert answer.headers["access-control-allow-origin"] == origin
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert exposed == {"ETag", "Link", "Location", "Retry-After", "X-Request-ID"}
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_it_may_read_what_is_refused_before_it_is_looked_at(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/refresh", content=b"x" * 20_000, headers={"Origin": MAPS})

    assert answer.status_code == 413
    assert answer.headers["access-control-allow-origin"] == MAPS


@pytest.mark.parametrize(
    "origin", [None, "null", "https://maps.example.evil", "http://maps.example"]
)
async def test_a_page_of_another_origin_may_not(
    client: httpx.AsyncClient, origin: str | None
) -> None:
    answer = await client.options(
        "/refresh", headers=PREFLIGHT | ({} if origin is None else {"Origin": origin})
    )

    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]


async def test_a_preflight_is_told_what_the_path_takes(client: httpx.AsyncClient) -> None:
    answer = await client.options("/refresh", headers={"Origin": MAPS, **PREFLIGHT})

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == MAPS
    assert set(answer.headers["access-control-allow-methods"].split(", ")) == {"POST", "OPTIONS"}
    assert "Idempotency-Key" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-max-age"] == "7200"
    assert answer.headers["x-request-id"]


async def test_a_preflight_to_nowhere_fails(client: httpx.AsyncClient) -> None:
    answer = await client.options("/nope", headers={"Origin": MAPS, **PREFLIGHT})

    assert answer.status_code == 404


@pytest.mark.parametrize("origins", ["*", ""])
async def test_all_may_or_none(origins: str) -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(cors.Cors(app, origins)), base_url="http://mousetrap.test"
    ) as caller:
        answer = await caller.get("/", headers={"Origin": MAPS})

    assert answer.headers.get("access-control-allow-origin", "") == origins
    assert "vary" not in answer.headers
