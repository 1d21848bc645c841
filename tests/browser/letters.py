"""Dead letters as the API shows them."""

import base64
from typing import Any


def letter(number: int, body: bytes) -> dict[str, Any]:
    """Return a dead letter with a message."""
    return {
        "id": number,
        "queue": "mousetrap:fetch",
        "entry": "1764057600000-0",
        "reason": "it ended 3 workers",
        "deliveries": 3,
        "job_id": None,
        "buried_at": "2026-11-30T01:02:03Z",
        "size": len(body),
        "body": base64.b64encode(body).decode(),
    }
