"""Answers of an API that refuses."""

import json

from support.origin import answer

MEDIA_TYPE = "application/problem+json"


def problem(status: int, detail: str = "not now", *, retry_after: int | None = None) -> bytes:
    body = {"type": "urn:x", "title": "No", "status": status, "detail": detail}
    text = json.dumps(body).encode()
    if retry_after is None:
        return answer(text, status=status, content_type=MEDIA_TYPE)
    return answer(text, status=status, content_type=MEDIA_TYPE, Retry_After=str(retry_after))
