import asyncio
import socket

import pytest

from mousetrap.telemetry import check, probe
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.metrics import Metrics


class Switch:
    """A dependency that is there or not."""

    on = True

    async def check(self) -> None:
        if not self.on:
            raise ConnectionError("off")


async def test_health_follows_readiness(capsys: pytest.CaptureFixture[str]) -> None:
    switch = Switch()
    health = Health({"redis": switch.check})
    async with probe.serve(health, Metrics(), "127.0.0.1", 0) as port:
        assert await asyncio.to_thread(check.main, [str(port)]) == 1
        assert "not checked yet" in capsys.readouterr().out

        await health.check()
        assert await asyncio.to_thread(check.main, [str(port)]) == 0

        switch.on = False
        await health.check()
        assert await asyncio.to_thread(check.main, [str(port)]) == 1
        assert "ConnectionError: off" in capsys.readouterr().out


def test_a_process_that_does_not_listen_is_unhealthy(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]
        assert check.main([str(port)]) == 1

    assert f"no answer on port {port}: ConnectionRefusedError" in capsys.readouterr().out


def test_a_process_that_does_not_answer_is_unhealthy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert check.main([str(silent.getsockname()[1])]) == 1

    assert "TimeoutError" in capsys.readouterr().out
