"""`journey.py URL [TOKEN-FILE]`: whether the API is ready and, with a token, a refresh ends well.

It runs in the image of the API, by `helm test`, and imports nothing but the standard library.
"""

import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

PATIENCE = 120.0  # seconds


def asked(url: str, token: str, method: str = "GET") -> Any:
    """Return the answer of the API; raises OSError when there is none, or a refusal."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        return json.load(response)


def main(url: str, token: str) -> int:
    """Print each step; return 0 when all of them work, else 1."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            print("ready:", asked(f"{url}/health/ready", token))  # noqa: T201
            break
        except OSError as error:
            if time.monotonic() > end:
                print("not ready:", error)  # noqa: T201
                return 1
            time.sleep(1)
    if not token:
        return 0
    job = asked(f"{url}/refresh", token, "POST")["job_id"]
    while True:
        found = asked(f"{url}/jobs/{job}", token)
        if found["state"] != "queued" or time.monotonic() > end:
            print("refreshed:", found)  # noqa: T201
            return 0 if found["state"] == "succeeded" else 1
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(
        main(sys.argv[1], Path(sys.argv[2]).read_text("utf-8").strip() if sys.argv[2:] else "")
    )
