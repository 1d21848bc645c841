import asyncio
import re
import time

import aiohttp

from mousetrap.telemetry import probe
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.metrics import Metrics
from support.streams import until


def value(metrics: Metrics, name: str, **labels: str) -> float:
    found = metrics.registry.get_sample_value(name, labels)
    assert found is not None, name
    return found


def test_two_processes_in_one_have_metrics_of_their_own() -> None:
    one, other = Metrics(), Metrics()

    assert one.registry is not other.registry


def test_shows_what_the_process_uses() -> None:
    text = Metrics().render().decode()

    for name in ("cpu_seconds_total", "resident_memory_bytes", "open_fds"):
        assert re.search(rf"^process_{name} [\d.e+]+$", text, re.MULTILINE)
    assert "_created" not in text


async def test_a_loop_that_was_blocked_is_late() -> None:
    metrics = Metrics()
    watching = asyncio.create_task(metrics.watch())
    await asyncio.sleep(0)
    time.sleep(0.4)  # noqa: ASYNC251 - this is what it measures

    async def measured() -> bool:
        return value(metrics, "mousetrap_event_loop_lag_seconds_count") > 0

    await until(measured)
    watching.cancel()

    assert value(metrics, "mousetrap_event_loop_lag_seconds_sum") > 0.1


async def test_shows_whether_dependencies_can_be_used() -> None:
    async def away() -> None:
        raise ConnectionError

    async def here() -> None:
        """Answer."""

    metrics, health = Metrics(), Health({"redis": away, "postgres": here})
    metrics.follow(health)
    await health.check()

    assert value(metrics, "mousetrap_dependency_up", dependency="redis") == 0
    assert value(metrics, "mousetrap_dependency_up", dependency="postgres") == 1


async def test_workers_show_them_beside_their_health() -> None:
    async with (
        probe.serve(Health({}), Metrics(), "127.0.0.1", 0) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert "mousetrap_event_loop_lag_seconds_bucket" in await answer.text()
