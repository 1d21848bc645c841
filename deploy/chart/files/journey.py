"""`journey.py URL [TOKEN-FILE]`: whether the API is ready and, with a token, a refresh ends well.

It runs in the image of the API, by `helm test`, and imports nothing but the standard library.
"""

import json
import sys
import time
import urllib.request
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

PATIENCE = 120.0  # seconds
PASSING = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


def asked(url: str, token: str, method: str = "GET") -> Any:
    """Return the answer of the API; raises OSError when there is none, HTTPError for a refusal."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        return json.load(response)


def answer(url: str, token: str, end: float, method: str = "GET") -> Any:
    """Ask until `end` while nobody answers or the API asks for patience; raises as `asked`."""
    while True:
        try:
            return asked(url, token, method)
        except OSError as error:
            stays = isinstance(error, HTTPError) and error.code not in PASSING
            if stays or time.monotonic() > end:
                raise
            time.sleep(1)


def main(url: str, token: str) -> int:
    """Print each step; return 0 when all of them work, else 1."""
    end = time.monotonic() + PATIENCE
    step = "ready"
    try:
        print("ready:", answer(f"{url}/health/ready", token, end))  # noqa: T201
        if not token:
            return 0
        step = "refreshed"
        job = answer(f"{url}/refresh", token, end, "POST")["job_id"]
        while True:
            found = answer(f"{url}/jobs/{job}", token, end)
            if found["state"] != "queued" or time.monotonic() > end:
                print("refreshed:", found)  # noqa: T201
                return 0 if found["state"] == "succeeded" else 1
            time.sleep(0.5)
    except OSError as error:
        print(f"not {step}:", error)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(
        main(sys.argv[1], Path(sys.argv[2]).read_text("utf-8").strip() if sys.argv[2:] else "")
    )
