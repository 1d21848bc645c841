"""The edge of deploy/production.yaml, in front of a server that answers with what it was asked."""

import json
import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from containers.docker import Api, Stack, docker, until

BEHIND = """
import http.server, json, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        events = self.path.rstrip("/").endswith("/events")
        early = self.path == "/early"
        size = 0 if early else int(self.headers.get("Content-Length", 0))
        self.close_connection |= early
        headers, received = dict(self.headers), len(self.rfile.read(size))
        asked = {"path": self.path, "headers": headers, "body": received}
        body = b"data: first\\n\\n" if events else json.dumps(asked).encode()
        self.send_response(200)
        if not events: self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if events: threading.Event().wait()
    do_POST = do_GET
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""
LISTENS = "import socket; socket.create_connection(('127.0.0.1', 8000))"
OVERLAY = f"""
services:
  api:
    image: mousetrap/fetch-worker
    entrypoint: [/app/bin/python, -c, {json.dumps(BEHIND)}]
    environment: !reset null
    secrets: !reset null
    volumes: !reset null
    depends_on: !reset null
    networks: !override [front]
    healthcheck:
      test: [CMD, /app/bin/python, -c, {json.dumps(LISTENS)}]
"""


@pytest.fixture(scope="module")
def certificate(deploy: Path) -> Path:
    subprocess.run([str(deploy / "secrets.sh")], check=True, timeout=60)
    return deploy / "secrets/edge_certificate"


@pytest.fixture(scope="module")
def stack(deploy: Path, certificate: Path, port: int) -> Iterator[Stack]:  # noqa: ARG001 - a secret
    overlay = deploy / "edge_test.yaml"
    overlay.write_text(OVERLAY)
    example = (deploy / ".env.example").read_text()
    values = dict(re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE))
    values |= {"REVISION": "latest", "EDGE_ADDRESS": f"127.0.0.1:{port}"}
    values["FRONT_NETWORK"] = "192.168.242.0/24"  # other tests may run beside
    env = values | os.environ | {"COMPOSE_PROJECT_NAME": "mousetrap-test-edge"}
    found = Stack(deploy / "production.yaml", env, overlays=[overlay])
    try:
        found.up("edge")
        yield found
    finally:
        found.close()


@pytest.fixture
def edge(stack: Stack, certificate: Path, port: int) -> Iterator[httpx2.Client]:  # noqa: ARG001
    with Api(port, certificate=certificate) as found:
        # An earlier test may have taken all that a peer may have.
        until(lambda: found.http.get("/").status_code == httpx2.codes.OK)
        yield found.http


def refused(answer: httpx2.Response) -> int:
    """Return the status of a problem that the edge itself made."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["strict-transport-security"] == "max-age=63072000"
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["status"] == answer.status_code
    return answer.status_code


def test_request_is_passed_on_as_it_came(edge: httpx2.Client) -> None:
    answer = edge.post("/prefix/a%2Fb?x=%20", content=b"12345")

    asked = answer.json()
    assert asked["path"] == "/prefix/a%2Fb?x=%20"
    assert asked["body"] == 5
    assert asked["headers"]["Host"] == edge.base_url.netloc.decode()
    assert answer.headers["strict-transport-security"] == "max-age=63072000"


def test_client_cannot_say_who_it_is(edge: httpx2.Client) -> None:
    claims = ("Forwarded", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Real-IP", "X_Forwarded_For")
    claimed = dict.fromkeys((*claims, "X-Forwarded-For", "X-Forwarded-Proto"), "192.0.2.1")

    headers = edge.get("/", headers=claimed).json()["headers"]

    assert "192.0.2.1" not in headers.values()
    assert re.fullmatch(r"[0-9.]+", headers["X-Forwarded-For"])
    assert headers["X-Forwarded-Proto"] == "https"


def test_body_that_the_api_would_refuse_does_not_reach_it(edge: httpx2.Client) -> None:
    assert edge.post("/refresh", content=bytes(16 * 1024)).json()["body"] == 16 * 1024
    assert refused(edge.post("/refresh", content=bytes(16 * 1024 + 1))) == 413


def test_api_can_answer_before_a_slow_body_has_come(
    edge: httpx2.Client, certificate: Path, port: int  # noqa: ARG001 - it has to be up
) -> None:
    context = ssl.create_default_context(cafile=certificate)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{")
        assert secure.recv(12) == b"HTTP/1.1 200"


def test_head_that_is_too_large_is_refused(edge: httpx2.Client) -> None:
    answer = edge.get("/", headers={f"x-{number}": "x" * 8000 for number in range(5)})

    assert answer.status_code == 400


def test_events_arrive_when_they_are_sent(edge: httpx2.Client) -> None:
    for path in ("/events", "/events/", "/prefix/events"):
        with edge.stream("GET", path) as answer:
            assert next(answer.iter_lines()) == "data: first"


def test_peer_has_no_more_than_its_streams(edge: httpx2.Client) -> None:
    with ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(lambda _: _stream(edge), range(40)))
    try:
        taken = [answer.status_code for answer in answers]
        assert taken.count(200) == 32
        assert {refused(answer) for answer in answers if answer.status_code != 200} == {429}
        assert edge.get("/").status_code == httpx2.codes.OK
    finally:
        for answer in answers:
            answer.close()


def _stream(edge: httpx2.Client) -> httpx2.Response:
    answer = edge.send(edge.build_request("GET", "/events"), stream=True)
    if answer.status_code != httpx2.codes.OK:
        answer.read()
    return answer


def test_peer_that_asks_too_often_has_to_wait(edge: httpx2.Client) -> None:
    with ThreadPoolExecutor(32) as threads:

        def refusals() -> list[httpx2.Response]:
            answers = threads.map(lambda _: edge.get("/"), range(500))
            return [answer for answer in answers if answer.status_code != httpx2.codes.OK]

        late = until(refusals, deadline=60)

    assert {refused(answer) for answer in late} == {429}
    assert {answer.headers["retry-after"] for answer in late} == {"1"}


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_connection_is_tls_1_2_or_newer_and_http_2(
    edge: httpx2.Client, certificate: Path, port: int  # noqa: ARG001 - it has to be up
) -> None:
    def agreed(*, oldest: ssl.TLSVersion, newest: ssl.TLSVersion) -> tuple[str | None, str | None]:
        context = ssl.create_default_context(cafile=certificate)
        context.minimum_version, context.maximum_version = oldest, newest
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            return secure.version(), secure.selected_alpn_protocol()

    versions = ssl.TLSVersion
    assert agreed(oldest=versions.TLSv1_2, newest=versions.TLSv1_2) == ("TLSv1.2", "h2")
    assert agreed(oldest=versions.TLSv1_3, newest=versions.TLSv1_3) == ("TLSv1.3", "h2")
    with pytest.raises(OSError, match=r"(?i)version|protocol|alert"):
        agreed(oldest=versions.TLSv1, newest=versions.TLSv1_1)


def test_plain_http_is_sent_to_tls(edge: httpx2.Client, port: int) -> None:  # noqa: ARG001
    answer = httpx2.get(f"http://127.0.0.1:{port}/jobs?x=1", trust_env=False)

    assert answer.status_code == httpx2.codes.PERMANENT_REDIRECT
    assert answer.headers["location"] == f"https://127.0.0.1:{port}/jobs?x=1"


def test_edge_without_api_says_so(stack: Stack, edge: httpx2.Client) -> None:
    stack("stop", "--timeout=1", "api")
    try:
        answer = edge.get("/")
        assert refused(answer) in {502, 504}
        assert answer.headers["retry-after"] == "1"
    finally:
        stack.up("edge")


def test_log_names_the_client_and_is_json(stack: Stack, edge: httpx2.Client) -> None:
    edge.get('/"quoted"?token=secret')

    [container] = stack.containers("edge")

    def last() -> dict[str, Any] | None:
        *_, line = docker("logs", container).splitlines()
        found: dict[str, Any] = json.loads(line)
        return found if "quoted" in found["path"] else None

    entry = until(last, deadline=10)
    assert entry
    assert entry["path"] == '/"quoted"'
    assert entry["protocol"] == "HTTP/1.1"
    assert re.fullmatch(r"[0-9.]+", entry["peer"])
    assert "secret" not in str(entry)
