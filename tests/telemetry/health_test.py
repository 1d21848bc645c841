import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from mousetrap.telemetry.health import Health

SECONDS = 10


class Dependency:
    """Answers, fails or hangs as told, and counts how often it was asked."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.hanging = False
        self.asked = asyncio.Semaphore(0)

    async def check(self) -> None:
        self.asked.release()
        if self.hanging:
            await asyncio.Event().wait()
        if self.trouble is not None:
            raise self.trouble

    async def was_asked(self, times: int) -> None:
        async with asyncio.timeout(SECONDS):
            for _ in range(times):
                await self.asked.acquire()


def state(health: Health) -> tuple[bool, dict[str, str]]:
    return health.ready, health.report()


async def logged(check: Callable[[], Any]) -> list[tuple[str, str]]:
    with capture_logs() as lines:
        await check()
    return [(line["log_level"], line["dependency"]) for line in lines]


async def test_nothing_is_ready_before_it_was_checked() -> None:
    health = Health({"redis": Dependency().check})

    assert state(health) == (False, {"redis": "not checked yet"})


async def test_all_dependencies_together_make_a_process_ready() -> None:
    redis, postgres = Dependency(), Dependency(OSError("connection refused"))
    health = Health({"redis": redis.check, "postgres": postgres.check})

    await health.check()

    assert state(health) == (False, {"redis": "ok", "postgres": "OSError: connection refused"})

    postgres.trouble = None
    await health.check()

    assert state(health) == (True, {"redis": "ok", "postgres": "ok"})


async def test_a_process_that_needs_nothing_is_ready() -> None:
    health = Health({})
    async with asyncio.timeout(SECONDS):
        await health.check()
        await health.wait()

    assert state(health) == (True, {})


async def test_a_dependency_that_goes_away_makes_a_process_unready() -> None:
    redis = Dependency()
    health = Health({"redis": redis.check})
    await health.check()

    redis.trouble = OSError("gone")
    await health.check()

    assert state(health) == (False, {"redis": "OSError: gone"})


async def test_a_check_that_hangs_ends_at_its_deadline_and_holds_up_no_other() -> None:
    redis, postgres = Dependency(), Dependency()
    redis.hanging = True
    health = Health({"redis": redis.check, "postgres": postgres.check}, deadline=0.05)

    async with asyncio.timeout(SECONDS):
        await health.check()

    assert health.report() == {"redis": "no answer within 0.05 s", "postgres": "ok"}


async def test_an_error_without_a_message_is_still_trouble() -> None:
    health = Health({"redis": Dependency(ValueError()).check})

    await health.check()

    assert not health.ready
    assert health.report()["redis"].startswith("ValueError")


async def test_a_process_that_stops_is_not_ready_whatever_it_can_reach() -> None:
    health = Health({"redis": Dependency().check})
    await health.check()

    health.drain()
    await health.check()

    assert state(health) == (False, {"redis": "ok"})


async def test_waiting_ends_once_everything_has_been_reachable() -> None:
    redis = Dependency(OSError("not yet"))
    health = Health({"redis": redis.check}, period=0.001)
    watching = asyncio.create_task(health.watch())
    waiting = asyncio.create_task(health.wait())
    try:
        await redis.was_asked(3)
        assert not waiting.done()

        redis.trouble = None
        async with asyncio.timeout(SECONDS):
            await waiting
        assert health.ready
    finally:
        watching.cancel()
        await asyncio.wait([watching, waiting])


async def test_watching_goes_on_through_trouble_until_it_is_cancelled() -> None:
    redis = Dependency(OSError("down"))
    health = Health({"redis": redis.check}, period=0.001)
    watching = asyncio.create_task(health.watch())

    await redis.was_asked(5)
    watching.cancel()

    with pytest.raises(asyncio.CancelledError):
        await watching


async def test_trouble_is_logged_when_it_begins_and_when_it_ends_and_not_in_between() -> None:
    redis = Dependency(OSError("down"))
    health = Health({"redis": redis.check})

    assert await logged(health.check) == [("warning", "redis")]
    redis.trouble = ValueError("other trouble")
    assert await logged(health.check) == []
    redis.trouble = None
    assert await logged(health.check) == [("info", "redis")]
    assert await logged(health.check) == []
    redis.trouble = OSError("down again")
    assert await logged(health.check) == [("warning", "redis")]


async def test_a_missing_dependency_is_waited_for() -> None:
    health = Health({"redis": Dependency(OSError("refused")).check})

    with capture_logs() as lines:
        await health.check()

    [line] = lines
    assert line["event"].startswith("waiting for ")
    assert line["dependency"] == "redis"
    assert line["reason"] == "OSError: refused"
