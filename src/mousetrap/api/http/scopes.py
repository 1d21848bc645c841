"""The scopes of tokens, and the scope that each request needs."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from litestar.utils import normalize_path


class Scope(StrEnum):
    """A right to a part of the API."""

    READ = "read"
    REFRESH = "refresh"
    OPERATE = "operate"
    METRICS = "metrics"


MEANINGS: Final = {
    Scope.READ: "jobs, summaries, sources, queues and events",
    Scope.REFRESH: "request refreshes",
    Scope.OPERATE: "retry jobs, read dead letters",
    Scope.METRICS: "metrics, and the reasons in the readiness report",
}

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""The methods that change nothing (RFC 9110 section 9.2.1)."""

SESSION: Final = "/dashboard/session"

# Litestar routes later; a path that is not here needs more rights, never fewer.
_READS: Final[Mapping[str, Scope | None]] = {
    "/": Scope.READ,
    "/dead-letters": Scope.OPERATE,
    "/metrics": Scope.METRICS,
    "/health/live": None,
    "/health/ready": None,
    "/dashboard": None,
    "/docs": None,
    "/openapi.json": None,
    "/openapi.yaml": None,
}
_CHANGES: Final[Mapping[tuple[str, str], Scope | None]] = {
    ("POST", "/refresh"): Scope.REFRESH,
    ("POST", SESSION): Scope.READ,
    ("DELETE", SESSION): None,
}
_PUBLIC_FOLDERS: Final = ("/dashboard/", "/docs/")


def path_of(scope: Mapping[str, Any]) -> str:
    """Return the path by which Litestar routes a request."""
    path: str = scope["path"]
    return path if path == "/" else normalize_path(path.removeprefix(scope.get("root_path", "")))


def required(method: str, path: str) -> Scope | None:
    """Return the scope that a request needs; None if everybody may send it."""
    if method not in SAFE:
        return _CHANGES.get((method, path), Scope.OPERATE)
    if path in _READS:
        return _READS[path]
    return None if path.startswith(_PUBLIC_FOLDERS) else Scope.READ
