"""Sources that are well and that are not, as the dashboard and `mousetrap status` have to tell."""

from typing import Any, Final

ERROR: Final = {"code": "timeout", "detail": "the source did not answer within 20 s"}
NOON: Final = "2026-11-25T12:00:00Z"

CASES: Final[list[tuple[str | None, int, bool, str]]] = [
    # (the state of the newest job, failures in a row, whether it is stale, the verdict)
    ("failed", 0, False, "failing"),
    ("queued", 2, False, "failing"),
    ("succeeded", 2, True, "failing"),
    ("succeeded", 5, False, "failing"),
    (None, 2, False, "failing"),
    ("queued", 0, True, "stale"),
    ("succeeded", 0, True, "stale"),
    (None, 0, False, "never tried"),
    ("queued", 0, False, ""),
    ("succeeded", 0, False, ""),
]
"""The verdict of a source that nothing is wrong with is empty."""


def become(source: dict[str, Any], job: str | None, failures: int, *, stale: bool) -> None:
    """Change an item of `GET /sources` whose newest job succeeded into that of a case."""
    state = "open" if failures >= 5 else "closed"
    error = "timeout" if failures else None
    source["circuit"] = {"state": state, "since": NOON, "failures": failures, "last_error": error}
    source["stale"] = stale
    if job is None:
        source["newest"] = source["newest_job"] = None
        return
    ends = source["newest_job"]["finished_at"] if job != "queued" else None
    error_of_job = ERROR if job == "failed" else None
    source["newest_job"] |= {"state": job, "finished_at": ends, "error": error_of_job}
