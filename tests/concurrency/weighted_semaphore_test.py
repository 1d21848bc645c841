import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from mousetrap.concurrency.weighted_semaphore import WeightedSemaphore

LIMIT = 10


class Holders:
    """Tasks that hold something each, until they are told to let go."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._semaphore = WeightedSemaphore(LIMIT)
        self._group = group
        self.inside: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._free: dict[str, asyncio.Event] = {}

    async def come(self, name: str, weight: int) -> None:
        self._free[name] = asyncio.Event()
        self.tasks[name] = self._group.create_task(self._hold(name, weight))
        await settled()

    async def go(self, name: str) -> None:
        self._free[name].set()
        await settled()

    def available(self, weight: int) -> int:
        return self._semaphore.available(weight)

    async def _hold(self, name: str, weight: int) -> None:
        await self._semaphore.acquire(weight)
        self.inside.append(name)
        try:
            await self._free[name].wait()
        finally:
            self.inside.remove(name)
            self._semaphore.release(weight)


async def settled() -> None:
    """Let every task go on as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def holders() -> AsyncIterator[Holders]:
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        found = Holders(group)
        yield found
        for name in list(found.tasks):
            await found.go(name)


async def come(holders: Holders, weights: Sequence[int]) -> None:
    for name, weight in zip("abcdef", weights, strict=False):
        await holders.come(name, weight)


async def test_as_many_are_let_in_as_there_is_room_for(holders: Holders) -> None:
    await come(holders, [4, 6, 1])
    assert holders.inside == ["a", "b"]
    await holders.go("a")
    assert holders.inside == ["b", "c"]


async def test_who_weighs_more_than_all_is_let_in_alone(holders: Holders) -> None:
    await come(holders, [1, LIMIT + 1, 1])
    assert holders.inside == ["a"]
    await holders.go("a")
    assert holders.inside == ["b"]
    await holders.go("b")
    assert holders.inside == ["c"]


async def test_nobody_is_passed_by(holders: Holders) -> None:
    await come(holders, [9, 9, 1])
    assert holders.inside == ["a"]
    await holders.go("a")
    assert holders.inside == ["b", "c"]


async def test_who_is_cancelled_takes_no_room(holders: Holders) -> None:
    await come(holders, [9, 9, 1])
    holders.tasks["b"].cancel()
    await settled()
    assert holders.inside == ["a", "c"]


async def test_who_is_cancelled_while_let_in_leaves_the_room_to_others(holders: Holders) -> None:
    await come(holders, [10, 10, 10])
    holders.tasks["a"].cancel()
    await asyncio.sleep(0)
    holders.tasks["b"].cancel()
    await settled()
    assert holders.inside == ["c"]


async def test_there_is_room_for_as_many_as_would_be_let_in(holders: Holders) -> None:
    assert [holders.available(weight) for weight in (1, 5, LIMIT + 1)] == [LIMIT, 2, 1]
    await come(holders, [4, 1])
    assert [holders.available(weight) for weight in (1, 2, 5, 6)] == [5, 2, 1, 0]
    await holders.come("c", 6)
    assert holders.available(1) == 0  # for nobody is passed by
    await holders.go("a")
    assert holders.available(1) == 3
