"""The response headers in the OpenAPI document."""

from typing import Any, Final

from mousetrap.api.schema.fields import EXAMPLE_CURSOR, EXAMPLE_ID


def _header(description: str, *, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


HEADERS: Final = {
    "ETag": _header("for If-None-Match", example='W/"5d4140b1c1f2a6b9e0c0ffee"'),
    "Link": _header(
        "the `first` page and, unless this is the last, the `next` (RFC 8288)",
        example=f'</jobs>; rel="first", </jobs?cursor={EXAMPLE_CURSOR}>; rel="next"',
    ),
    "Location": _header("the job's path", example=f"/jobs/{EXAMPLE_ID}"),
    "Retry-After": _header("the delay before a retry, in seconds", example="2"),
    "WWW-Authenticate": _header(
        "the scheme, and the fault of the token (RFC 6750)",
        example='Bearer realm="mousetrap", error="invalid_token"',
    ),
    "X-Request-ID": _header("the id of this request in the log", example="9f" * 16),
}
