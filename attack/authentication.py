"""Authentication: callers without a token, with a wrong one, or with too few rights."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from attack.case import Act, Attack, Kind
from attack.errors import NotHeldError, NotTriedError
from attack.target import Target

UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
JOB: Final = "00000000-0000-0000-0000-000000000000"
RETRY: Final = f"POST /jobs/{JOB}/retry"

NEEDS: Final[Mapping[str, str]] = {
    "GET /": "read",
    "GET /jobs": "read",
    f"GET /jobs/{JOB}": "read",
    "GET /summaries": "read",
    f"GET /summaries/{JOB}": "read",
    f"GET /summaries/{JOB}/points": "read",
    f"GET /summaries/{JOB}/changes": "read",
    "GET /sources": "read",
    "GET /queues": "read",
    "GET /events": "read",
    "POST /refresh": "refresh",
    RETRY: "operate",
    "GET /dead-letters": "operate",
    "GET /metrics": "metrics",
}
"""The scope that each request needs."""

DETOURS: Final = (
    "//jobs",
    "/jobs/",
    "/./jobs",
    "/docs/../jobs",
    "/docs/assets/../../jobs",
    "/dashboard/..%2fjobs",
    "/health/live/../../jobs",
    "/%6aobs",
    "/JOBS",
    "/jobs;/docs/",
    "/jobs%00/docs/",
    "/jobs?/health/live",
    "/jobs#/health/live",
    "/health/../jobs",
)


def attacks() -> Iterator[Attack]:
    """Yield all attacks of this kind."""
    for line, scope in NEEDS.items():
        yield _attack(f"{line} without a token", _refused(line, UNAUTHORIZED))
        yield _attack(f"{line} with every scope but {scope}", _short_of(line, scope))
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        yield _attack(f"{method} /jobs without a token", _unread(f"{method} /jobs"))
    for path in DETOURS:
        yield _attack(f"{path} without a token", _unread(f"GET {path}"))
    for name, headers in _credentials().items():
        yield _attack(name, _refused("GET /jobs", UNAUTHORIZED, headers))
    for name in ("token", "access_token", "api_key"):
        yield _attack(f"a token as ?{name}=", _in_query(name))
    yield _attack("a token in a trailer", _in_trailer)
    yield _attack("the digest of a token", _digest)
    yield _attack("a token cut short", _cut)
    yield _attack("two tokens, one of them good", _two)
    yield Attack(Kind.AUTHENTICATION, "the reasons of readiness", "L4", _readiness)


def _attack(name: str, act: Act) -> Attack:
    return Attack(Kind.AUTHENTICATION, name, "M6", act)


def _credentials() -> dict[str, dict[str, str]]:
    return {
        "a wrong token": {"Authorization": "Bearer wrong"},
        "an empty token": {"Authorization": "Bearer "},
        "no scheme": {"Authorization": "wrong"},
        "Basic": {"Authorization": "Basic YWRtaW46YWRtaW4="},
        "a token of NULs": {"Authorization": "Bearer " + "%00" * 20},
        "a token of 4 kB": {"Authorization": "Bearer " + "a" * 4096},
        "a token that is not ASCII": {"Authorization": "Bearer \u00e9\u4e2d"},
        "a JSON Web Token without a signature": {
            "Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."
        },
        "a wrong cookie": {"Cookie": "mousetrap_token=wrong"},
        "headers of a proxy": {
            "X-Forwarded-For": "127.0.0.1",
            "X-Real-IP": "127.0.0.1",
            "Forwarded": "for=127.0.0.1",
            "X-Forwarded-User": "admin",
            "X-Remote-User": "admin",
        },
        "a rewritten path": {"X-Original-URL": "/health/live", "X-Rewrite-URL": "/health/live"},
        "a method override": {"X-HTTP-Method-Override": "OPTIONS"},
    }


async def guarded(target: Target) -> Target:
    """Return the API that asks for tokens; raises NotTriedError if there is none."""
    if target.own is not None:
        return target.own.guarded
    if (await target.ask("GET /jobs", token="")).status == UNAUTHORIZED:
        return target
    raise NotTriedError("this system has no tokens")


def _refused(line: str, status: int, headers: Mapping[str, str] | None = None) -> Act:
    async def act(target: Target) -> None:
        api = await guarded(target)
        answer = await api.ask(line, headers, token="", seconds=2)
        if answer.status not in {status, 400}:
            raise NotHeldError(f"it was answered {answer.status}")
        if status == UNAUTHORIZED == answer.status and not answer.header("www-authenticate"):
            raise NotHeldError("the answer has no WWW-Authenticate")

    return act


def _short_of(line: str, scope: str) -> Act:
    async def act(target: Target) -> None:
        system = target.system
        for name, token in system.tokens.items():
            if scope in name.split("-"):
                continue
            answer = await system.guarded.ask(line, token=token, seconds=2)
            if answer.status != FORBIDDEN:
                raise NotHeldError(f"with the scope {name} it was answered {answer.status}")

    return act


def _unread(line: str) -> Act:
    async def act(target: Target) -> None:
        api = await guarded(target)
        answer = await api.ask(line, token="", seconds=2)
        if b'"items"' in answer.body or answer.status >= 500:
            raise NotHeldError(f"it was answered {answer.status}")

    return act


def _in_query(name: str) -> Act:
    async def act(target: Target) -> None:
        token = target.system.tokens["read"]
        await _refused(f"GET /jobs?{name}={token}", UNAUTHORIZED)(target)

    return act


async def _in_trailer(target: Target) -> None:
    system = target.system
    message = system.guarded.request("POST /refresh", {"Transfer-Encoding": "chunked"}, token="")
    message = message.replace(b"Content-Length: 0\r\n", b"")
    trailer = f"Authorization: Bearer {system.tokens['refresh']}".encode()
    answer = await system.guarded.exchange(message + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n\r\n")
    if answer.status in range(200, 300):
        raise NotHeldError(f"it was answered {answer.status}")


async def _digest(target: Target) -> None:
    digest = hashlib.sha256(target.system.tokens["read"].encode()).hexdigest()
    await _refused("GET /jobs", UNAUTHORIZED, {"Authorization": f"Bearer {digest}"})(target)


async def _cut(target: Target) -> None:
    token = target.system.tokens["read"]
    for odd in (token[:-1], token + "a", token.upper(), token[:1]):
        await _refused("GET /jobs", UNAUTHORIZED, {"Authorization": f"Bearer {odd}"})(target)


async def _two(target: Target) -> None:
    good = f"Bearer {target.system.tokens['read']}"
    lines = {"Authorization": f"Bearer wrong\r\nAuthorization: {good}"}
    await _refused("GET /jobs", UNAUTHORIZED, lines)(target)


async def _readiness(target: Target) -> None:
    api = await guarded(target)
    answer = await api.ask("GET /health/ready", token="")
    if b"Errno" in answer.body or b"://" in answer.body:
        raise NotHeldError("a stranger reads addresses or errors")
