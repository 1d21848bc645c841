"""`python -m mousetrap.telemetry.check PORT`: the health check of an image.

It imports little of the standard library and nothing else, because it runs every few seconds.
"""

import http.client
import sys
from collections.abc import Sequence
from typing import Final

HOST: Final = "127.0.0.1"
PATIENCE: Final = 4.0  # seconds; an orchestrator waits for 5 of them


def main(arguments: Sequence[str]) -> int:
    """Print the readiness report of the process on PORT; return 0 when it is ready, else 1."""
    [port] = arguments
    connection = http.client.HTTPConnection(HOST, int(port), timeout=PATIENCE)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        said = answer.read(4096).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        said = f"no answer on port {port}: {type(error).__name__}: {error}"
        healthy = False
    else:
        healthy = answer.status == http.HTTPStatus.OK
    finally:
        connection.close()
    print(said)  # noqa: T201 - orchestrators show it
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
