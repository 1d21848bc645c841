import asyncio
import socket
from typing import Any

import aiohttp
import pytest

from mousetrap.telemetry import probe
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.metrics import Metrics

SECONDS = 10


class Switch:
    """A dependency that is there or not."""

    on = True

    async def check(self) -> None:
        if not self.on:
            raise ConnectionError("off")


async def ask(port: int, path: str) -> tuple[int, Any]:
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", timeout=timeout) as session,
        session.get(path) as response,
    ):
        return response.status, await response.json()


async def test_a_process_is_live_before_it_is_ready() -> None:
    health = Health({"redis": Switch().check})
    async with probe.serve(health, Metrics(), "127.0.0.1", 0) as port:
        assert await ask(port, "/health/live") == (200, {"status": "ok"})
        assert await ask(port, "/health/ready") == (
            503,
            {"status": "unready", "checks": {"redis": "not checked yet"}},
        )


async def test_readiness_follows_the_dependencies() -> None:
    switch = Switch()
    health = Health({"redis": switch.check})
    async with probe.serve(health, Metrics(), "127.0.0.1", 0) as port:
        await health.check()
        assert await ask(port, "/health/ready") == (
            200,
            {"status": "ready", "checks": {"redis": "ok"}},
        )

        switch.on = False
        await health.check()
        assert await ask(port, "/health/ready") == (
            503,
            {"status": "unready", "checks": {"redis": "ConnectionError: off"}},
        )


async def test_a_process_that_stops_is_live_and_not_ready() -> None:
    health = Health({"redis": Switch().check})
    await health.check()
    health.drain()
    async with probe.serve(health, Metrics(), "127.0.0.1", 0) as port:
        status, _ = await ask(port, "/health/ready")
        assert status == 503
        assert await ask(port, "/health/live") == (200, {"status": "ok"})


async def test_the_port_is_free_again_afterwards() -> None:
    async with probe.serve(Health({}), Metrics(), "127.0.0.1", 0) as first:
        pass
    async with probe.serve(Health({}), Metrics(), "127.0.0.1", first) as second:
        assert second == first


async def test_a_port_that_is_taken_is_an_error() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="address already in use"),
    ):
        async with probe.serve(Health({}), Metrics(), "127.0.0.1", taken.getsockname()[1]):
            pass


@pytest.mark.parametrize(
    "unfinished",
    [
        b"",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc",
    ],
    ids=["nothing", "half a head", "half a body"],
)
async def test_a_client_that_does_not_finish_does_not_hold_up_the_end(unfinished: bytes) -> None:
    async with asyncio.timeout(SECONDS / 2):
        async with probe.serve(Health({}), Metrics(), "127.0.0.1", 0) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(unfinished)
            await writer.drain()
            assert await ask(port, "/health/live") == (200, {"status": "ok"})
    writer.close()
    await writer.wait_closed()
