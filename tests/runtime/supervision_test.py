"""Loops beside the work of a process: started again, shown, and never silently dead."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import pytest

from mousetrap.runtime.supervision import Supervisor, Watcher
from mousetrap.telemetry.health import Health

SECONDS = 10


class ServerError(Exception):
    """It cannot be used, for whatever reason."""


class AwayError(ServerError):
    """It cannot be used at the moment."""


class Server:
    """A server that a watcher asks, over and over."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.asked = 0
        self._news = asyncio.Event()

    async def watch(self, works: Callable[[], None]) -> NoReturn:
        while True:
            self.asked += 1
            self._news.set()
            if self.trouble is not None:
                raise self.trouble
            works()
            await asyncio.sleep(0)

    async def was_asked(self, times: int) -> None:
        wanted = self.asked + times
        async with asyncio.timeout(SECONDS):
            while self.asked < wanted:
                self._news.clear()
                await self._news.wait()


async def ended(supervisor: Supervisor) -> None:
    async with asyncio.timeout(SECONDS):
        while not supervisor.failed:  # noqa: ASYNC110 - it does not say when
            await asyncio.sleep(0.01)


@pytest.fixture
def server() -> Server:
    return Server()


@asynccontextmanager
async def supervised(server: Server) -> AsyncIterator[tuple[Supervisor, Health]]:
    health = Health({})
    supervisor = Supervisor(
        health,
        watchers=[Watcher("server", "watching the server", server.watch)],
        expected=(ServerError,),
        outages=(AwayError,),
    )
    async with supervisor.running():
        yield supervisor, health


async def test_a_watcher_that_works_is_shown(server: Server) -> None:
    async with supervised(server) as (supervisor, health):
        await server.was_asked(2)

        assert (health.ready, health.report()) == (True, {"server": "ok"})
    assert not supervisor.failed


async def test_a_watcher_that_fails_is_shown_until_it_works_again(
    server: Server, events: list[dict[str, Any]]
) -> None:
    async with supervised(server) as (supervisor, health):
        server.trouble = AwayError("off")
        await server.was_asked(4)
        assert (health.ready, health.report()) == (False, {"server": "AwayError: off"})

        server.trouble = None
        await server.was_asked(2)
        assert (health.ready, health.report()) == (True, {"server": "ok"})

    assert not supervisor.failed
    assert [(it["log_level"], "exc_info" in it) for it in events] == [
        ("warning", False),
        ("info", False),
    ]


async def test_an_error_that_is_no_outage_is_traced_once(
    server: Server, events: list[dict[str, Any]]
) -> None:
    async with supervised(server) as (_, health):
        server.trouble = ServerError("wrong")
        await server.was_asked(4)

        assert health.report() == {"server": "ServerError: wrong"}

    assert [it["log_level"] for it in events if "exc_info" in it] == ["error"]


async def test_after_an_error_that_was_not_expected_the_process_has_to_end(
    server: Server, events: list[dict[str, Any]]
) -> None:
    async with supervised(server) as (supervisor, health):
        server.trouble = ZeroDivisionError("surprise")
        await ended(supervisor)
        assert not health.ready

    [event] = [it for it in events if it["log_level"] == "error"]
    assert event["exc_info"]


async def test_a_loop_that_fails_does_not_end_the_others(server: Server) -> None:
    async def fail() -> NoReturn:
        raise ServerError

    health = Health({})
    watcher = Watcher("server", "watching the server", server.watch)
    supervisor = Supervisor(health, watchers=[watcher], loops=[fail], expected=(ServerError,))
    async with supervisor.running():
        await ended(supervisor)

        await server.was_asked(2)  # requests in hand still need it
