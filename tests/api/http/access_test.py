"""The requests that each caller may send, asked of the whole application."""

import contextlib
import dataclasses
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from api.conftest import BASE_URL, HOST, NOWHERE, NOWHERE_URL, SOURCES, CheckedApi, Document, alive
from mousetrap.api.app import Api, create_app
from mousetrap.api.http.access import Access
from mousetrap.api.http.authentication import COOKIE, Tokens
from mousetrap.api.http.hosts import Hosts
from mousetrap.api.http.limits import Limits, Receive, Send
from mousetrap.api.http.limits import Scope as Connection
from mousetrap.api.http.rate_limit import RateLimit
from mousetrap.api.http.scopes import Scope
from mousetrap.api.metrics import ApiMetrics
from mousetrap.settings.process import ApiSettings
from support.streams import until

STRANGER = ("203.0.113.7", 4711)
NO_JOB = "00000000-0000-0000-0000-000000000000"
EVERY = {scope.value: scope for scope in Scope}


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    """A token of each scope, which is also its name, and one of another caller."""
    path = tmp_path / "tokens"
    know(path, *((it, it, it) for it in EVERY), ("other", "refresh", "other"))
    return path


def know(tokens_file: Path, *tokens: tuple[str, str, str]) -> None:
    """Know these tokens and no others, each with its name and its scope before it."""
    lines = [
        f"{name} {it} {hashlib.sha256(token.encode()).hexdigest()}" for name, it, token in tokens
    ]
    tokens_file.write_text("\n".join(lines))


@pytest.fixture
def settings(settings: ApiSettings, tokens_file: Path) -> ApiSettings:
    return msgspec.structs.replace(settings, api_tokens_file=str(tokens_file))


@pytest.fixture
def guarded(tokens_file: Path) -> Api:
    """An API with tokens that can reach nothing."""
    return create_app(msgspec.structs.replace(NOWHERE, api_tokens_file=str(tokens_file)), SOURCES)


@contextlib.asynccontextmanager
async def caller_of(
    api: Api, token: str | None = None, peer: tuple[str, int] = STRANGER, **more: Any
) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    transport = httpx2.ASGITransport(api.asgi, client=peer)
    async with httpx2.AsyncClient(
        transport=transport, base_url=BASE_URL, headers=headers, **more
    ) as found:
        yield found


def kind(answer: httpx2.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    found: str = answer.json()["type"].removeprefix("urn:mousetrap:problem:")
    return found


@pytest.mark.parametrize("token", [None, "wrong", *EVERY])
async def test_an_operation_is_for_tokens_of_its_scope_only(
    guarded: Api, tokens_file: Path, document: Document, token: str | None
) -> None:
    reached = Access(empty, Tokens(tokens_file), Hosts("*", ""), RateLimit(0, 1), ApiMetrics())
    inside = dataclasses.replace(guarded, asgi=Limits(reached, ApiMetrics()))
    async with caller_of(guarded, token) as caller, caller_of(inside, token) as lucky:
        for method, path, needed in operations(document):
            for spelt in spellings(path):
                url = httpx2.URL(BASE_URL, raw_path=spelt.encode())
                if needed in {None, token}:
                    assert (await lucky.request(method, url)).status_code == 200
                    continue
                answer = await caller.request(method, url)
                assert answer.status_code == (403 if token in EVERY else 401), spelt
                assert answer.headers["www-authenticate"].startswith("Bearer ")


def operations(document: Document) -> Iterator[tuple[str, str, str | None]]:
    """Yield the method, the path and the scope of each operation."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            [needed] = operation["security"][0]["token"] if operation["security"] else [None]
            yield method.upper(), path.replace("{job_id}", NO_JOB), needed


def spellings(path: str) -> list[str]:
    """Return other ways to write a path that a router may take for the same one."""
    coded = path.replace("e", "%65").replace("r", "%72")
    return [path, f"{path}/", f"/{path}", f"{path}//", path.replace("/", "//"), coded, f"{path}?a"]


async def empty(_: Connection, __: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def test_every_operation_but_the_probes_names_its_scope(document: Document) -> None:
    public = {
        path
        for path, item in document["paths"].items()
        for operation in item.values()
        if not operation["security"]
    }

    assert public == {"/health/live", "/health/ready"}
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "BREW"])
@pytest.mark.parametrize("path", ["/nothing", "/jobs/x/retry", "/docs/../jobs", "/Docs", "/docsx"])
async def test_a_stranger_does_not_learn_what_there_is(
    guarded: Api, method: str, path: str
) -> None:
    async with caller_of(guarded) as caller:
        answer = await caller.request(method, httpx2.URL(BASE_URL, raw_path=path.encode()))

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="mousetrap"'


@pytest.mark.parametrize(
    "path", ["/docs", "/docs/openapi.json", "/openapi.yaml", "/dashboard", "/health/live"]
)
async def test_pages_and_probes_are_for_everybody(guarded: Api, path: str) -> None:
    async with caller_of(guarded, follow_redirects=True) as caller:
        assert (await caller.get(path)).status_code == 200


async def test_a_newest_summary_in_memory_is_for_readers_only(app: CheckedApi) -> None:
    async with app.serve() as client:
        for token, status in ((None, 401), ("metrics", 403), ("read", 200)):
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            answer = await client.get("/", headers=headers)
            assert answer.status_code == status


async def test_refusals_tell_what_the_token_lacks(guarded: Api) -> None:
    async with caller_of(guarded, "read") as caller:
        answer = await caller.get("/dead-letters")

    assert kind(answer) == "forbidden"
    assert "'operate'" in answer.json()["detail"]
    assert 'error="insufficient_scope", scope="operate"' in answer.headers["www-authenticate"]


async def test_refusals_and_operations_are_logged_without_the_token(
    guarded: Api, events: list[dict[str, Any]]
) -> None:
    async with caller_of(guarded, "swordfish") as caller:
        await caller.post("/refresh")
    async with caller_of(guarded, "read") as caller:
        await caller.get("/dead-letters")
    async with alive(guarded.asgi), caller_of(guarded, "operate") as caller:
        await caller.post(f"/jobs/{NO_JOB}/retry")

    fields = ("caller", "peer", "method", "path", "status")
    refused = [it for it in events if it["event"] == "a request was refused"]
    assert [tuple(it[name] for name in fields) for it in refused] == [
        (None, "203.0.113.7", "POST", "/refresh", 401),
        ("read", "203.0.113.7", "GET", "/dead-letters", 403),
    ]
    [operated] = [it for it in events if it["event"] == "an operator acted"]
    assert tuple(operated[name] for name in fields) == (
        *("operate", "203.0.113.7", "POST", f"/jobs/{NO_JOB}/retry", 503),
    )
    assert "swordfish" not in str(events)


async def test_readiness_tells_strangers_no_addresses(app: CheckedApi) -> None:
    async with app.serve(redis_url=NOWHERE_URL) as client:
        metrics = {"Authorization": "Bearer metrics"}

        async def report() -> dict[str, str]:
            answer = await client.get("/health/ready", headers=metrics)
            found: dict[str, str] = answer.json()["checks"]
            return found

        async def checked() -> bool:
            return "not checked yet" not in (await report()).values()

        await until(checked)
        told = await report()
        for headers in ({}, {"Authorization": "Bearer read"}, {"Authorization": "Bearer wrong"}):
            answer = await client.get("/health/ready", headers=headers)
            assert answer.status_code == 503
            assert answer.json()["checks"]["redis"] == "unavailable"
            assert set(answer.json()["checks"].values()) <= {"ok", "unavailable"}
            assert answer.json()["checks"].keys() == told.keys()

    assert "UnavailableError" in told["redis"]


async def test_an_idempotency_key_belongs_to_its_caller(app: CheckedApi) -> None:
    async with app.serve() as client:

        async def refresh(token: str) -> str:
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "guessed"}
            found: str = (await client.post("/refresh", headers=headers)).json()["job_id"]
            return found

        mine, again, theirs = [await refresh(it) for it in ("refresh", "refresh", "other")]

    assert mine == again != theirs


async def test_tokens_are_rotated_while_it_runs(
    guarded: Api, tokens_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mousetrap.api.http.authentication.PERIOD", 0.01)
    async with alive(guarded.asgi), caller_of(guarded, "new") as caller:
        assert (await caller.get("/metrics")).status_code == 401
        know(tokens_file, ("new", "metrics", "new"))

        async def known() -> bool:
            return (await caller.get("/metrics")).status_code == 200

        await until(known)


class TestSession:
    """The cookie of the dashboard."""

    async def test_it_opens_what_the_token_opens(self, guarded: Api) -> None:
        async with caller_of(guarded) as page:
            assert (await page.get("/dashboard/session")).json() == {"name": None, "scopes": []}
            login = {"Authorization": "Bearer read"}
            answer = await page.post("/dashboard/session", headers=login)
            assert answer.status_code == 204
            set_cookie = answer.headers["set-cookie"]
            known = (await page.get("/dashboard/session")).json()
            opened = await page.get("/events")
            left = await page.delete("/dashboard/session")
            closed = await page.get("/events")

        assert known == {"name": "read", "scopes": ["read"]}
        for attribute in ("HttpOnly", "SameSite=strict", "Path=/"):
            assert attribute in set_cookie
        assert "Secure" not in set_cookie
        assert (opened.status_code, left.status_code, closed.status_code) == (503, 204, 401)

    async def test_it_is_secure_by_https(self, guarded: Api) -> None:
        async with caller_of(guarded, "read") as page:
            answer = await page.post(f"https://{HOST}/dashboard/session")

        assert "Secure" in answer.headers["set-cookie"]

    @pytest.mark.parametrize("token", [None, "wrong", "metrics"])
    async def test_a_token_that_may_not_read_gets_none(
        self, guarded: Api, token: str | None
    ) -> None:
        async with caller_of(guarded, token) as page:
            answer = await page.post("/dashboard/session")

        assert answer.status_code in {401, 403}
        assert "set-cookie" not in answer.headers

    async def test_a_foreign_page_cannot_use_it(self, guarded: Api) -> None:
        cookies = {COOKIE: "operate"}
        async with caller_of(guarded, cookies=cookies) as page:
            answer = await page.post(
                f"/jobs/{NO_JOB}/retry", headers={"Origin": "https://evil.example"}
            )

        assert kind(answer) == "foreign-origin"

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://localhost:5173", "Sec-Fetch-Site": "same-site"},
            {"Origin": "http://localhost:5173"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": BASE_URL, "Sec-Fetch-Site": "same-site"},
        ],
    )
    async def test_a_page_that_may_call_needs_a_token_of_its_own(
        self, tokens_file: Path, method: str, headers: dict[str, str]
    ) -> None:
        settings = msgspec.structs.replace(
            NOWHERE, api_tokens_file=str(tokens_file), cors_origins="http://localhost:5173"
        )
        path = "/dead-letters" if method == "GET" else f"/jobs/{NO_JOB}/retry"
        api = create_app(settings, SOURCES)
        async with (
            alive(api.asgi),
            caller_of(api, cookies={COOKIE: "operate"}) as page,
            caller_of(api, "operate") as program,
        ):
            by_cookie = await page.request(method, path, headers=headers)
            by_token = await program.request(method, path, headers=headers)

        assert (by_cookie.status_code, kind(by_cookie)) == (401, "unauthenticated")
        assert by_token.status_code == 503  # it may, but Postgres is away


def limited(**changes: str) -> Api:
    settings = msgspec.structs.replace(NOWHERE, rate_limit=0.001, rate_burst=3, **changes)
    return create_app(settings, SOURCES)


class TestRates:
    """A bucket for each token, else for each peer."""

    async def test_a_peer_that_asks_too_often_is_told_to_wait(self) -> None:
        api = limited()
        async with caller_of(api) as caller, caller_of(api, peer=("203.0.113.8", 1)) as other:
            statuses = [(await caller.get("/nothing")).status_code for _ in range(5)]
            last = await caller.get("/nothing")
            theirs = await other.get("/nothing")
            alive = await caller.get("/health/live")

        assert statuses == [404, 404, 404, 429, 429]
        assert kind(last) == "rate-limited"
        assert int(last.headers["retry-after"]) >= 1
        assert (theirs.status_code, alive.status_code) == (404, 200)

    async def test_this_machine_is_not_limited(self) -> None:
        async with caller_of(limited(), peer=("127.0.0.1", 1)) as caller:
            assert {(await caller.get("/nothing")).status_code for _ in range(20)} == {404}

    async def test_a_token_has_a_bucket_of_its_own_wherever_it_comes_from(
        self, tokens_file: Path
    ) -> None:
        api = limited(api_tokens_file=str(tokens_file))
        statuses = []
        for number in range(5):
            async with caller_of(api, "read", peer=(f"203.0.113.{number}", 1)) as caller:
                statuses.append((await caller.get("/nothing")).status_code)
        async with caller_of(api, "metrics", peer=("203.0.113.1", 1)) as caller:
            other = await caller.get("/metrics")

        assert statuses == [404, 404, 404, 429, 429]
        assert other.status_code == 200

    async def test_no_token_shares_its_bucket_with_peers_that_have_no_address(
        self, tokens_file: Path
    ) -> None:
        know(tokens_file, ("unknown", "read", "read"))
        api = limited(api_tokens_file=str(tokens_file))
        async with caller_of(api, peer=("unix:", 1)) as stranger, caller_of(api, "read") as caller:
            strange = [(await stranger.get("/nothing")).status_code for _ in range(5)]
            answer = await caller.get("/nothing")

        assert strange == [401, 401, 401, 429, 429]
        assert answer.status_code == 404

    async def test_guesses_of_tokens_count_too(self, tokens_file: Path) -> None:
        api = limited(api_tokens_file=str(tokens_file))
        statuses = []
        for number in range(5):
            async with caller_of(api, f"guess-{number}") as caller:
                statuses.append((await caller.get("/")).status_code)

        assert statuses == [401, 401, 401, 429, 429]

    async def test_only_a_named_proxy_may_say_who_asks(self) -> None:
        api = limited(trusted_proxies="10.0.0.0/8")
        statuses: dict[str, list[int]] = {}
        for peer in ("10.1.2.3", "203.0.113.9"):
            for number in range(5):
                forwarded = {"X-Forwarded-For": f"1.2.3.4, 198.51.100.{number}"}
                async with caller_of(api, peer=(peer, 1)) as caller:
                    answer = await caller.get("/nothing", headers=forwarded)
                statuses.setdefault(peer, []).append(answer.status_code)

        assert statuses["10.1.2.3"] == [404] * 5
        assert statuses["203.0.113.9"] == [404, 404, 404, 429, 429]
