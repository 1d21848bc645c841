import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from itertools import chain
from typing import Self

import pytest

from mousetrap.concurrency.group_commit import GroupCommit

WHO: ContextVar[str] = ContextVar("who", default="nobody")


class Ledger:
    """Doubles numbers, a group at a time, while the gate is open; refuses groups with a 13."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.begun = asyncio.Semaphore(0)
        self.gate = asyncio.Event()
        self.under_way = 0

    @classmethod
    def opened(cls) -> Self:
        ledger = cls()
        ledger.gate.set()
        return ledger

    async def commit(self, items: Sequence[int]) -> list[int]:
        assert self.under_way == 0
        self.under_way += 1
        self.groups.append(list(items))
        self.begun.release()
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
            if 13 in items:
                raise RuntimeError("13 is not for us")
            return [item * 2 for item in items]
        finally:
            self.under_way -= 1


async def behind_a_first[T](
    group: GroupCommit[int, T], ledger: Ledger, *numbers: int
) -> list[asyncio.Task[T]]:
    """Submit the numbers while a group of 0 alone is under way."""
    tasks = [asyncio.create_task(group.submit(0))]
    await ledger.begun.acquire()
    tasks += [asyncio.create_task(group.submit(number)) for number in numbers]
    await asyncio.sleep(0)
    return tasks


def others() -> set[asyncio.Task[object]]:
    return {it for it in asyncio.all_tasks() if it is not asyncio.current_task()}


async def test_on_an_idle_system_an_item_is_committed_at_once_and_alone() -> None:
    ledger = Ledger.opened()
    group = GroupCommit(ledger.commit)
    assert [await group.submit(number) for number in (1, 2)] == [2, 4]
    assert ledger.groups == [[1], [2]]


async def test_what_arrives_in_one_turn_of_the_loop_is_one_group() -> None:
    ledger = Ledger.opened()
    assert await asyncio.gather(*map(GroupCommit(ledger.commit).submit, (4, 5))) == [8, 10]
    assert ledger.groups == [[4, 5]]


async def test_what_arrives_meanwhile_is_the_next_group_and_each_gets_its_own_result() -> None:
    ledger = Ledger()
    tasks = await behind_a_first(GroupCommit(ledger.commit), ledger, 3, 1, 2)
    assert ledger.groups == [[0]]
    ledger.gate.set()
    assert await asyncio.gather(*tasks) == [0, 6, 2, 4]
    assert ledger.groups == [[0], [3, 1, 2]]


async def test_many_at_once_are_all_committed_once() -> None:
    ledger = Ledger.opened()
    group = GroupCommit(ledger.commit, items=7)

    async def submit(number: int) -> int:
        await asyncio.sleep(number % 5 / 1000)
        return await group.submit(number)

    numbers = range(14, 514)
    assert await asyncio.gather(*map(submit, numbers)) == [number * 2 for number in numbers]
    assert sorted(chain.from_iterable(ledger.groups)) == list(numbers)
    assert max(map(len, ledger.groups)) == 7
    assert others() == set()


async def test_a_group_is_bounded_in_items_and_weight() -> None:
    ledger = Ledger.opened()
    group = GroupCommit(ledger.commit, items=3, weight=10)
    weights = [1, 1, 1, 1, 6, 4, 99, 5, 5]
    await asyncio.gather(*(group.submit(number, weight=number) for number in weights))
    assert ledger.groups == [[1, 1, 1], [1, 6], [4], [99], [5, 5]]


async def test_a_failure_reaches_everybody_in_the_group_and_nobody_else() -> None:
    ledger = Ledger()
    group = GroupCommit(ledger.commit)
    first, *rest = await behind_a_first(group, ledger, 1, 13)
    ledger.gate.set()
    assert await first == 0
    for task in rest:
        with pytest.raises(RuntimeError, match="13"):
            await task
    assert await group.submit(5) == 10


async def test_a_missing_result_is_told() -> None:
    async def commit(items: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        return list(items[1:])

    group = GroupCommit(commit)
    told = await asyncio.gather(*map(group.submit, (1, 2, 3)), return_exceptions=True)
    assert list(map(type, told)) == [ValueError] * 3


async def test_who_is_cancelled_while_waiting_is_left_out() -> None:
    ledger = Ledger()
    first, one, two, three = await behind_a_first(GroupCommit(ledger.commit), ledger, 1, 2, 3)
    two.cancel()
    ledger.gate.set()
    assert [await it for it in (first, one, three)] == [0, 2, 6]
    assert two.cancelled()
    assert ledger.groups == [[0], [1, 3]]


async def test_who_is_cancelled_during_the_commit_harms_nobody() -> None:
    ledger = Ledger()
    group = GroupCommit(ledger.commit)
    tasks = [asyncio.create_task(group.submit(number)) for number in (4, 5)]
    await ledger.begun.acquire()
    tasks[0].cancel()
    await asyncio.wait([tasks[0]])
    ledger.gate.set()
    assert await tasks[1] == 10
    assert tasks[0].cancelled()
    assert ledger.groups == [[4, 5]]


async def test_who_is_cancelled_while_committed_alone_makes_way_for_the_next_ones() -> None:
    ledger = Ledger()
    first, *rest = await behind_a_first(GroupCommit(ledger.commit), ledger, 1, 2)
    first.cancel()
    ledger.gate.set()
    assert await asyncio.gather(*rest) == [2, 4]
    assert first.cancelled()
    assert ledger.groups == [[0], [1, 2]]


async def test_who_fails_alone_makes_way_for_the_next_ones() -> None:
    ledger = Ledger()
    group = GroupCommit(ledger.commit)
    failing = asyncio.create_task(group.submit(13))
    await ledger.begun.acquire()
    following = asyncio.create_task(group.submit(1))
    await asyncio.sleep(0)
    ledger.gate.set()
    with pytest.raises(RuntimeError, match="13"):
        await failing
    assert await following == 2


async def test_nothing_is_left_running_once_all_have_their_result() -> None:
    ledger = Ledger.opened()
    await asyncio.gather(*map(GroupCommit(ledger.commit).submit, (1, 2, 3)))
    await asyncio.sleep(0)
    assert others() == set()


async def test_the_end_of_the_loop_cancels_who_waits_and_the_next_one_is_served() -> None:
    ledger = Ledger()
    group = GroupCommit(ledger.commit)
    submitting = asyncio.create_task(group.submit(4))
    await ledger.begun.acquire()
    [worker] = others() - {submitting}
    worker.cancel()
    await asyncio.wait([submitting])
    assert submitting.cancelled()
    ledger.gate.set()
    assert await group.submit(2) == 4


async def test_a_group_is_not_committed_in_the_name_of_one_of_its_members() -> None:
    names: list[str] = []

    async def commit(items: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0)
        names.append(WHO.get())
        return items

    WHO.set("the first")
    await asyncio.gather(*map(GroupCommit(commit).submit, (1, 2, 3)))
    assert names == ["nobody"]
