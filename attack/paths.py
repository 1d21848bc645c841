"""Paths: what lies outside of the folders that are served, and other names of what is guarded."""

from collections.abc import Iterator
from typing import Final

from attack.case import Act, Attack, Kind
from attack.errors import NotHeldError
from attack.target import Target

FOLDERS: Final = ("/docs/assets", "/dashboard")
CLIMBS: Final = {
    "dots": "../" * 8 + "etc/passwd",
    "escaped dots": "%2e%2e/" * 8 + "etc/passwd",
    "escaped slashes": "..%2f" * 8 + "etc/passwd",
    "all escaped": "%2e%2e%2f" * 8 + "etc%2fpasswd",
    "escaped twice": "%252e%252e%252f" * 8 + "etc%252fpasswd",
    "backslashes": "..\\" * 8 + "etc\\passwd",
    "escaped backslashes": "..%5c" * 8 + "etc%5cpasswd",
    "four dots": "....//" * 8 + "etc/passwd",
    "overlong UTF-8": "%c0%ae%c0%ae/" * 8 + "etc/passwd",
    "full-width dots": "%ef%bc%8e%ef%bc%8e/" * 8 + "etc/passwd",
    "an absolute path": "/etc/passwd",
    "an escaped absolute path": "%2fetc%2fpasswd",
    "a NUL": "dashboard.js%00.html",
    "a parameter": "..;/" * 8 + "etc/passwd",
    "our own code": "../../routes/dashboard.py",
    "our own code, escaped": "..%2f..%2froutes%2fdashboard.py",
    "the environment": "../" * 8 + "proc/self/environ",
    "a folder": "",
    "a hidden file": ".git/config",
    "a file of 5,000 characters": "a" * 5_000,
}
LEAKS: Final = (b"root:", b"def ", b"MOUSETRAP_", b"[core]", b"Index of")
READMES: Final = (
    *("swagger-ui/README.md", "swagger-ui/SHA256SUMS", "dashboard/README.md", "dashboard/"),
    *("map/README.md", "map/SHA256SUMS", "map/"),
    *("README.md", "index.html", "package.json"),
)
"""Files beside those that the pages need; licences are served on purpose."""


def attacks() -> Iterator[Attack]:
    """Yield all attacks of this kind."""
    for folder in FOLDERS:
        for name, path in CLIMBS.items():
            yield Attack(
                Kind.PATHS, f"{name} below {folder}", "", _leaks_nothing(f"{folder}/{path}")
            )
    yield Attack(Kind.PATHS, "READMEs below /docs/assets", "Also", _no_readmes)
    for path in ("//evil.example", "/\\evil.example", "/docs//evil.example/..", "/.//jobs"):
        yield Attack(Kind.PATHS, f"no redirect of {path}", "", _no_redirect(path))
    yield Attack(Kind.PATHS, "pages of the framework", "", _no_framework)


def _leaks_nothing(path: str) -> Act:
    async def act(target: Target) -> None:
        answer = await target.ask(f"GET {path}")
        if answer.status >= 500:
            raise NotHeldError(f"it was answered {answer.status}")
        leak = next((it for it in LEAKS if it in answer.body), None)
        if answer.status == 200 and leak is not None:
            raise NotHeldError(f"the answer holds {leak.decode()!r}")

    return act


async def _no_readmes(target: Target) -> None:
    for name in READMES:
        answer = await target.ask(f"GET /docs/assets/{name}")
        if answer.status == 200:
            raise NotHeldError(f"/docs/assets/{name} is served")


def _no_redirect(path: str) -> Act:
    async def act(target: Target) -> None:
        answer = await target.ask(f"GET {path}")
        if "evil.example" in answer.header("location") or answer.status >= 500:
            raise NotHeldError(f"it was answered {answer.status} {answer.header('location')}")

    return act


async def _no_framework(target: Target) -> None:
    for path in (
        "/schema",
        "/schema/swagger",
        "/schema/openapi.json",
        "/redoc",
        "/debug",
        "/admin",
    ):
        if (await target.ask(f"GET {path}")).status == 200:
            raise NotHeldError(f"{path} is served")
