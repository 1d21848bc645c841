"""The whole process: how it starts, waits, stops."""

import asyncio
import contextlib
import signal
import socket
import time
from pathlib import Path

import httpx2
import pytest

from api.conftest import execute
from mousetrap.stack.servers import Servers
from support.processes import Starter

BODY = b'{"source": "demo"}'
HEAD = (
    b"POST /refresh HTTP/1.1\r\nHost: mousetrap.test\r\nContent-Type: application/json\r\n"
    b"Content-Length: 18\r\n\r\n"
)


async def in_hand(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin a request of which the process has seen the first half."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD.replace(b"Content-Length", b"Expect: 100-continue\r\nContent-Length"))
    async with asyncio.timeout(10):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(BODY[:5])
    return reader, writer


async def refused(port: int) -> None:
    """Wait until it takes no new connections."""
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                return
            writer.close()
            await asyncio.sleep(0.02)


async def ready(client: httpx2.AsyncClient, status: int) -> httpx2.Response:
    async with asyncio.timeout(20):
        while True:
            answer = await client.get("/health/ready")
            if answer.status_code == status:
                return answer
            await asyncio.sleep(0.05)


async def test_serves_until_it_is_told_to_stop(start: Starter, port: int) -> None:
    process = await start()
    url = f"http://127.0.0.1:{port}"
    assert (await process.logged("the API is served"))["url"] == url
    async with httpx2.AsyncClient(base_url=url) as client:
        await ready(client, 200)
        assert (await client.get("/")).json() == {}
        answer = await client.post("/refresh", json={"source": "earthquakes"})
        assert answer.status_code == 202
        head = await client.head("/docs")
        assert (head.status_code, head.content) == (200, b"")
        assert "server" not in head.headers

    process.send(signal.SIGTERM)

    assert await process.end() == (0, "")
    lines = process.all_logged("request")
    assert [(line["path"], line["status"]) for line in lines] == [
        ("/", 200),
        ("/refresh", 202),
        ("/docs", 200),
    ]
    assert lines[1]["job_id"] == answer.json()["job_id"]
    assert {line["service"] for line in process.lines} == {"api"}


async def test_refuses_proxies_that_are_no_addresses(start: Starter) -> None:
    process = await start(trusted_proxies="10.0.0.300")

    code, complaint = await process.end()
    assert code == 2
    assert complaint.startswith("api: MOUSETRAP_TRUSTED_PROXIES: ")
    assert complaint.count("\n") == 1


@pytest.mark.parametrize(
    "path", ["/docs/openapi.json", "/docs/assets/swagger-ui/swagger-ui-bundle.js"]
)
async def test_compresses_what_is_large(start: Starter, port: int, path: str) -> None:
    process = await start()
    await process.logged("the API is served")
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        whole = await client.get(path, headers={"Accept-Encoding": "identity"})
        small = await client.get(path, headers={"Accept-Encoding": "gzip"})
        head = await client.head(path, headers={"Accept-Encoding": "gzip"})

    assert small.headers["content-encoding"] == head.headers["content-encoding"] == "gzip"
    assert (small.content, head.content) == (whole.content, b"")
    assert small.num_bytes_downloaded < len(whole.content) / 2
    assert head.headers.get("content-length") == small.headers.get("content-length")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_finishes_what_is_in_hand(start: Starter, port: int, number: signal.Signals) -> None:
    process = await start()
    await process.logged("the API is served")
    reader, writer = await in_hand(port)

    process.send(number)
    assert (await process.logged("stopping"))["requests_in_flight"] == 1
    await refused(port)
    writer.write(BODY[5:])
    async with asyncio.timeout(10):
        answer = await reader.read()

    assert answer.startswith(b"HTTP/1.1 202")
    assert await process.end() == (0, "")
    writer.close()


async def listening(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin to read events."""
    async with asyncio.timeout(20):
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /events HTTP/1.1\r\nHost: mousetrap.test\r\n\r\n")
            if b" 200 " in await reader.readline():
                await reader.readuntil(b"data: {}\n\n")
                return reader, writer
            writer.close()  # Postgres is not heard yet
            await asyncio.sleep(0.05)


async def test_ends_streams_at_once(start: Starter, port: int) -> None:
    process = await start()
    await process.logged("the API is served")
    reader, writer = await listening(port)

    begin = time.monotonic()
    process.send(signal.SIGTERM)
    async with asyncio.timeout(10):
        rest = await reader.read()

    assert rest.endswith(b"0\r\n\r\n")
    assert await process.end() == (0, "")
    assert time.monotonic() - begin < 5
    assert process.all_logged("request", path="/events")[-1]["status"] == 200
    writer.close()


async def test_cuts_off_who_does_not_read_events(start: Starter, port: int, dsn: str) -> None:
    process = await start()
    await process.logged("the API is served")
    reader, writer = await listening(port)
    quick, also = await listening(port)
    await execute(
        dsn,
        "INSERT INTO job (id, source, state, finished_at, error_code, error_detail)"
        " SELECT gen_random_uuid(), 'demo', 'failed', now(), 'x', repeat('x', 7000)"
        " FROM generate_series(1, 200)",
    )
    attempts = 1
    async with asyncio.timeout(90):
        while not process.all_logged("a client reads events too slowly and is cut off"):
            attempts += 1
            await execute(dsn, "UPDATE job SET attempts = attempts + 1")
            while f'"attempts":{attempts},'.encode() not in await quick.readline():
                pass

    with contextlib.suppress(ConnectionResetError):
        async with asyncio.timeout(10):
            while await reader.read(2**20):
                pass
    reading = asyncio.create_task(quick.read())
    process.send(signal.SIGTERM)
    assert await process.end() == (0, "")
    assert (await reading).endswith(b"0\r\n\r\n")
    for it in (writer, also):
        it.close()


async def test_waits_no_longer_than_its_grace(start: Starter, port: int) -> None:
    process = await start(grace="1")
    await process.logged("the API is served")
    reader, writer = await in_hand(port)

    begin = time.monotonic()
    process.send(signal.SIGTERM)
    async with asyncio.timeout(10):
        answer = await reader.read()
    code, _ = await process.end()

    assert code == 0
    assert 0.9 < time.monotonic() - begin < 6
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"\r\nretry-after: " in answer
    assert process.all_logged("request")[-1]["status"] == 503
    writer.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_at_once(
    start: Starter, port: int, number: signal.Signals
) -> None:
    process = await start()
    await process.logged("the API is served")
    _, writer = await in_hand(port)

    process.send(signal.SIGTERM)
    await process.logged("stopping")
    process.send(number)

    assert await process.end() == (128 + number, "")
    writer.close()


async def test_waits_for_what_it_depends_on(  # noqa: PLR0913, PLR0917 - fixtures
    start: Starter, servers: Servers, port: int, dsn: str, redis_url: str, tmp_path: Path
) -> None:
    """Starts in front of empty addresses, into which the servers' sockets come later."""
    addresses = {"postgres_dsn": dsn, "redis_url": redis_url}
    process = await start(
        **{
            name: url.replace(str(servers.sockets), str(tmp_path))
            for name, url in addresses.items()
        }
    )
    assert (await process.logged("waiting for postgres"))["level"] == "warning"
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
        assert (await client.get("/health/live")).status_code == 200
        checks = (await ready(client, 503)).json()["checks"]
        answer = await client.post("/refresh")
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)

        for path in servers.sockets.iterdir():
            (tmp_path / path.name).symlink_to(path)
        await ready(client, 200)
        assert (await client.post("/refresh")).status_code == 202

    assert {name for name, state in checks.items() if state == "ok"} <= {"summaries"}
    process.send(signal.SIGTERM)
    assert await process.end() == (0, "")


async def test_says_that_its_port_is_taken(start: Starter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = await start(port=str(taken.getsockname()[1]))
        code, _ = await process.end()

    assert code != 0
    assert any("address already in use" in line["event"] for line in process.lines)
