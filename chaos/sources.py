"""Good and hostile sources, on a local HTTP server."""

import contextlib
import gzip
import http.server
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mousetrap.stack import ports

DEADLINE: Final = 0.8
PATIENCE: Final = 5
"""The deadlines of a good source, which must not fail because its worker was frozen."""
MAX_BYTES: Final = 20_000
SUCCEEDED: Final = "succeeded"

POINTS: Final = ([10.0, 50.0], [20.0, 60.0], [-170.0, -5.0])
LARGE: Final = "crowd"
"""The source whose batches travel in pieces beside their messages."""
CROWD: Final = 25_000


@dataclass(frozen=True, slots=True)
class Source:
    """A source: the allowed outcomes of its jobs (`succeeded`, or an error code), its weight, and
    its handler; without a handler it invents places.
    """

    outcomes: frozenset[str]
    weight: int
    serve: Callable[["Handler"], None] | None = None


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each path with the handler of its source."""

    server: "Server"

    def do_GET(self) -> None:
        serve = SOURCES[self.path.strip("/")].serve
        assert serve is not None
        with contextlib.suppress(ConnectionError):  # the worker may be killed at any time
            serve(self)

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, body: bytes, *, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/geo+json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((ports.HOST, 0), Handler)
        self.closing = threading.Event()
        self.turns = itertools.count()
        self.crowd = collection(*([n / 1000, n % 90] for n in range(CROWD)))


def collection(*positions: list[float]) -> bytes:
    features = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": it}, "properties": {}}
        for it in positions
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def hang(handler: Handler) -> None:
    handler.server.closing.wait(10 * DEADLINE)


def flaky(handler: Handler) -> None:
    well = next(handler.server.turns) % 2 == 1
    handler.answer(collection(*POINTS), status=200 if well else 503)


def loop(handler: Handler) -> None:
    handler.answer(b"", status=302, Location=handler.path)


def plain(body: bytes, *, status: int = 200, **headers: str) -> Callable[[Handler], None]:
    return lambda handler: handler.answer(body, status=status, **headers)


def _fails(code: str, serve: Callable[[Handler], None]) -> Source:
    return Source(frozenset({code}), 2, serve)


def _is_away(code: str, serve: Callable[[Handler], None]) -> Source:
    """Return a source that fails for a time, as far as its workers know."""
    return Source(frozenset({code, "circuit-open"}), 2, serve)


def crowd(handler: Handler) -> None:
    handler.answer(handler.server.crowd)


WELL: Final = frozenset({SUCCEEDED})
BOMB: Final = gzip.compress(b" " * 5_000_000)

SOURCES: Final = {
    "places": Source(WELL, 60),
    "place": Source(WELL, 40),
    "feed": Source(WELL, 40, plain(collection(*POINTS))),
    LARGE: Source(WELL, 1, crowd),
    "flaky": Source(frozenset({SUCCEEDED, "server-trouble", "circuit-open"}), 6, flaky),
    "hang": _is_away("timeout", hang),
    "trouble": _is_away("server-trouble", plain(b"", status=500)),
    "gone": _fails("refused", plain(b"", status=404)),
    "truncated": _is_away("truncated", plain(collection(*POINTS), Content_Length="4000")),
    "huge": _fails("too-large", plain(b" " * 10 * MAX_BYTES)),
    "bomb": _fails("too-large", plain(BOMB, Content_Encoding="gzip")),
    "nan": _fails("malformed", plain(collection([float("nan"), 1.0]))),
    "off-earth": _fails("bad-coordinates", plain(collection([0.0, 91.0]))),
    "empty": _fails("empty-batch", plain(collection())),
    "loop": _fails("too-many-redirects", loop),
    "page": _fails("wrong-content-type", plain(b"<p>", Content_Type="text/html")),
}
HONEST: Final = tuple(name for name, source in SOURCES.items() if source.outcomes == WELL)
DEFAULT: Final = HONEST[0]
SMALL: Final = tuple(name for name in SOURCES if name != LARGE)
HOSTILE: Final = tuple(name for name in SOURCES if name not in HONEST)


@contextlib.contextmanager
def served(root: Path, *, deadline: float = DEADLINE) -> Iterator[Path]:
    """Serve all sources; yield the path of the `sources.toml` that names them.

    Workers wait `deadline` seconds for an answer, longer for a good source.
    """
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            path = root / "sources.toml"
            path.write_text("".join(_toml(server.server_port, deadline)))
            yield path
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def _toml(port: int, deadline: float) -> Iterator[str]:
    yield f'default = "{DEFAULT}"\n'
    for name, source in SOURCES.items():
        yield f"\n[sources.{name}]\nmax_queued = 10_000\n"
        if source.serve is None:
            yield f'kind = "faker"\ncount = {10 if name == "places" else 1}\n'
        else:
            yield f'kind = "geojson"\nurl = "http://{ports.HOST}:{port}/{name}"\n'
            yield "allow_private = true\n"
            patience = PATIENCE if name in HONEST else 1
            most = 10_000_000 if name == LARGE else MAX_BYTES
            yield f"deadline = {patience * deadline}\nmax_bytes = {most}\n"
            yield "min_interval = 0\nprobe_interval = 0.5\n"
