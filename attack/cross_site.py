"""Cross-site: a foreign page in an operator's browser, and names rebound to this machine."""

from collections.abc import Iterator, Mapping
from typing import Final

from attack.case import Act, Attack, Kind
from attack.errors import NotHeldError
from attack.target import Target

EVIL: Final = "http://evil.example"
PATHS: Final = ("/", "/jobs", "/summaries", "/sources", "/dead-letters", "/metrics", "/dashboard")
NAMES: Final = (
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil.example:8000",
    "127.0.0.1@evil.example",
    "localhost:evil",
    "[::1].evil.example",
)
CROSS: Final[Mapping[str, dict[str, str]]] = {
    "a foreign Origin": {"Origin": EVIL},
    "a null Origin": {"Origin": "null"},
    "an Origin that begins like ours": {"Origin": "http://127.0.0.1.evil.example"},
    "an Origin that ends like ours": {"Origin": "http://evil-localhost"},
    "an Origin on another port": {"Origin": "http://127.0.0.1:1"},
    "Sec-Fetch-Site: cross-site": {"Sec-Fetch-Site": "cross-site"},
    "a page of a neighbour": {"Origin": "http://evil.localhost", "Sec-Fetch-Site": "same-site"},
    "a form": {"Origin": EVIL, "Content-Type": "text/plain", "Sec-Fetch-Site": "cross-site"},
    "a rebound name": {"Host": "evil.example", "Origin": EVIL, "Sec-Fetch-Site": "same-origin"},
    "a forwarded name": {"X-Forwarded-Host": "127.0.0.1", "Host": "evil.example"},
}
NO_JOB: Final = "/jobs/00000000-0000-0000-0000-000000000000/retry"


def attacks() -> Iterator[Attack]:
    """Yield all attacks of this kind."""
    for path in PATHS:
        yield Attack(Kind.CROSS_SITE, f"a rebound name reads {path}", "M2", _rebound(path))
        yield Attack(Kind.CROSS_SITE, f"{EVIL}{path} as the target", "M2", _absolute(path))
    for name in NAMES:
        yield Attack(Kind.CROSS_SITE, f"Host: {name}", "M2", _host(name))
    for name, headers in CROSS.items():
        for path in ("/refresh", NO_JOB):
            what = "refreshes" if path == "/refresh" else "retries"
            yield Attack(Kind.CROSS_SITE, f"{name} {what}", "M2", _writes(path, headers))
    for path in ("/", "/jobs", "/events"):
        yield Attack(Kind.CROSS_SITE, f"a foreign script reads {path}", "", _readable(path))
    yield Attack(Kind.CROSS_SITE, "a preflight of a foreign script", "", _preflight)
    for path in ("/dashboard", "/docs", "/"):
        yield Attack(Kind.CROSS_SITE, f"a foreign frame around {path}", "", _framed(path))


def _refused(status: int) -> bool:
    return status == 0 or status in {400, 401, 403, 404, 405, 421, 415, 422}


def _rebound(path: str) -> Act:
    async def act(target: Target) -> None:
        answer = await target.ask(f"GET {path}", {"Host": f"evil.example:{target.port}"})
        if answer.status == 200:
            raise NotHeldError("it was answered 200")

    return act


def _absolute(path: str) -> Act:
    async def act(target: Target) -> None:
        answer = await target.ask(f"GET {EVIL}{path}")
        if not _refused(answer.status):
            raise NotHeldError(f"it was answered {answer.status}")

    return act


def _host(name: str) -> Act:
    async def act(target: Target) -> None:
        answer = await target.ask("GET /", {"Host": name})
        if not _refused(answer.status):
            raise NotHeldError(f"it was answered {answer.status}")

    return act


def _writes(path: str, headers: dict[str, str]) -> Act:
    async def act(target: Target) -> None:
        answer = await target.ask(f"POST {path}", headers)
        if answer.status == 404 and path == NO_JOB:
            raise NotHeldError("the job was looked for")
        if not _refused(answer.status):
            raise NotHeldError(f"it was answered {answer.status}")

    return act


def _readable(path: str) -> Act:
    async def act(target: Target) -> None:
        answer = await target.ask(f"GET {path}", {"Origin": EVIL}, seconds=0.5)
        if answer.header("access-control-allow-origin"):
            raise NotHeldError("the script may read the answer")

    return act


async def _preflight(target: Target) -> None:
    headers = {"Origin": EVIL, "Access-Control-Request-Method": "POST"}
    answer = await target.ask("OPTIONS /refresh", headers)
    if answer.header("access-control-allow-origin") or answer.status >= 500:
        raise NotHeldError(f"it was answered {answer.status} and allowed")


def _framed(path: str) -> Act:
    async def act(target: Target) -> None:
        answer = await target.ask(f"GET {path}")
        policy = answer.header("content-security-policy")
        if "frame-ancestors" not in policy and not answer.header("x-frame-options"):
            raise NotHeldError("nothing forbids the frame")
        if answer.header("x-content-type-options") != "nosniff":
            raise NotHeldError("the type of the answer may be guessed")

    return act
