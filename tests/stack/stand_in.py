"""Stands in for a process that is supervised: `stand_in.py PORT NAME WISH ...`.

It answers health checks on PORT and ends when asked to, with status 0, unless it has a wish:
`exits:STATUS` at once, `unready` for ever, `stubborn` enough to ignore what asks it to end, `late`
as that and not ready before it.
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import FrameType


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(port: str, name: str, *wishes: str) -> None:
    asked: list[int] = []

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            unready = "unready" in wishes or ("late" in wishes and not asked)
            self.send_response(503 if unready else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing of it."""

    def end(number: int, _: FrameType | None) -> None:
        say(f"{name} got {signal.Signals(number).name}")
        asked.append(number)
        if not {"stubborn", "late"}.intersection(wishes):
            sys.exit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    say(f"{name} has pid {os.getpid()} and environment {sorted(os.environ)}")
    for wish in wishes:
        if wish.startswith("exits:"):
            sys.exit(int(wish.removeprefix("exits:")))
    with HTTPServer(("127.0.0.1", int(port)), Health) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
