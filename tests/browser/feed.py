"""The feeds that the system of these tests is fed from."""

import contextlib
import http.server
import json
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WEEK = Path("tests/resources/usgs-all-week.geojson")
DAY = 86_400_000  # ms
DEADLINE = 20.0  # s

Features = list[dict[str, Any]]
PLACELESS: Features = [{"type": "Feature", "geometry": None, "properties": {}}] * 2


class Feed:
    """GeoJSON over HTTP on 127.0.0.1; each path is a feed of its own."""

    def __init__(self) -> None:
        self.port = 0
        self.mended = threading.Event()
        self.released = threading.Event()
        self.apart: Features = []
        # Each answers with its body, or with the status of its refusal.
        self.paths: dict[str, Callable[[], bytes | int]] = {
            "/week": WEEK.read_bytes,
            "/growing": self._growing,
            "/rising": self._growing,
            "/hostile": lambda: encode([point(10, 20, "<img src=x onerror=alert(1)>")]),
            "/asking": self._asking,
            "/apart": lambda: encode(self.apart),
            "/partial": lambda: encode([point(5, 6, "here"), *PLACELESS]),
            "/many": lambda: encode(spiral(50_000)),
            "/broken": lambda: self._mended(404),
            "/busy": lambda: self._mended(503),
            "/slow": self._slow,
        }
        week = json.loads(WEEK.read_bytes())["features"]
        self._week: Features = sorted(week, key=lambda feature: feature["properties"]["time"])
        self._asked = 0
        self._answers = 0

    @staticmethod
    def other() -> bytes:
        """Answer each path that is no feed of its own."""
        return encode([point(5, 6, "here")])

    def _growing(self) -> bytes:
        """Answer with a day of the week, then with two days, and so on by quarters of a day."""
        self._asked += 1
        start = self._week[0]["properties"]["time"]
        end = start + (1 + self._asked / 4) * DAY
        return encode([it for it in self._week if it["properties"]["time"] <= end])

    def _mended(self, refusal: int) -> bytes | int:
        return encode([point(1, 2, "mended")]) if self.mended.is_set() else refusal

    def _asking(self) -> bytes:
        """Answer with another set of ids each time."""
        self._answers += 1
        ids = range(self._answers, self._answers + 3)
        asked = {"properties": {"title": "here", "mag": 2.5}}
        return encode([point(10, 20, "here") | asked | {"id": f"id {it}"} for it in ids])

    def _slow(self) -> bytes:
        assert self.released.wait(DEADLINE)
        return encode([point(3, 4, "slow")])


def point(lon: float, lat: float, name: str) -> dict[str, Any]:
    """Return a feature."""
    geometry = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "geometry": geometry, "properties": {"title": name}}


def spiral(count: int) -> Features:
    """Return points all over the world, the same ones each time."""
    golden = math.pi * (3 - math.sqrt(5))
    return [
        point(
            math.remainder(math.degrees(index * golden), 360),
            math.degrees(math.asin(1 - (2 * index + 1) / count)),
            f"point {index}",
        )
        for index in range(count)
    ]


def encode(features: Features) -> bytes:
    """Return a FeatureCollection."""
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


@contextlib.contextmanager
def answering(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[int]:
    """Answer each GET on 127.0.0.1, in a thread of its own; yield the port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


@contextlib.contextmanager
def serve() -> Iterator[Feed]:
    """Serve the feeds."""
    feed = Feed()

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        found = feed.paths.get(handler.path, feed.other)()
        status, body = (found, b"") if isinstance(found, int) else (200, found)
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with answering(answer) as feed.port:
        try:
            yield feed
        finally:
            feed.released.set()
