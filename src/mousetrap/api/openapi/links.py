"""The links of the OpenAPI document, by operation and name."""

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]


def _to(operation: str, **parameters: str) -> Json:
    """Return a link whose parameters come from these JSON pointers into the answer's body."""
    found = {name: f"$response.body#{pointer}" for name, pointer in parameters.items()}
    return {"operationId": operation, "parameters": found}


_OF_JOB: Final = {
    "summary": _to("get_summary", job_id="/job_id"),
    "points": _to("get_points", job_id="/job_id"),
}
_CHANGES: Final = {"changes": _to("get_changes", job_id="/job_id")}
_JOB: Final = {"job": _to("get_job", job_id="/job_id")}

LINKS: Final[Mapping[str, Mapping[str, Json]]] = {
    "get_newest_summary": {**_OF_JOB, **_JOB},
    "refresh": _JOB,
    "retry_job": _JOB,
    "get_job": {**_OF_JOB, "retry": _to("retry_job", job_id="/job_id")},
    "list_jobs": {
        "next": _to("list_jobs", cursor="/next"),
        "job": _to("get_job", job_id="/items/0/job_id"),
        "retry": _to("retry_job", job_id="/items/0/job_id"),
        "summary": _to("get_summary", job_id="/items/0/job_id"),
    },
    "list_summaries": {
        "next": _to("list_summaries", cursor="/next"),
        "summary": _to("get_summary", job_id="/items/0/job_id"),
        "points": _to("get_points", job_id="/items/0/job_id"),
    },
    "get_changes": {"before": _to("get_summary", job_id="/since")},
    "get_summary": {"points": _to("get_points", job_id="/job_id"), **_CHANGES, **_JOB},
    "list_dead_letters": {
        "next": _to("list_dead_letters", cursor="/next"),
        "job": _to("get_job", job_id="/items/0/job_id"),
    },
    "list_sources": {
        "newest": _to("get_newest_summary", source="/items/0/name"),
        "jobs": _to("list_jobs", source="/items/0/name"),
        "summaries": _to("list_summaries", source="/items/0/name"),
    },
}
