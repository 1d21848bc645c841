"""Makes many small writes durable together."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass


@dataclass(slots=True)  # not frozen: it is created for every item
class _Waiting[T, R]:
    item: T
    weight: int
    result: asyncio.Future[R]


class GroupCommit[T, R]:
    """Calls `commit` once for a group of items instead of once for each.

    A group begins in the turn of the event loop after the one in which the first of its items came,
    or as soon as the group before has ended; what arrives meanwhile is the next group. It has at
    most `items` items, which weigh at most `weight` together; an item that weighs more is a group
    of its own. `commit` returns as many results as it was given items, in their order, or raises,
    which tells all of them. It should have a deadline. This is the group commit of databases:
    DeWitt et al., "Implementation Techniques for Main Memory Database Systems", SIGMOD 1984.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        *,
        items: int = 256,
        weight: int = 0,
    ) -> None:
        self._commit = commit
        self._items = items
        self._weight = weight
        self._waiting: deque[_Waiting[T, R]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: T, *, weight: int = 0) -> R:
        """Return what `commit` has for the item, or raise what it raises.

        Cancelled before its group begins, the item is left out; afterwards it may have been
        committed or not, and the others of its group do not notice.
        """
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, weight, result))
        if self._worker is None or self._worker.done():
            # It works for all, so it must not inherit the log context of the first caller.
            self._worker = asyncio.create_task(self._work(), context=Context())
        return await result

    async def _work(self) -> None:
        # It ends without a task switch once the queue is empty, so no item is overlooked.
        while group := self._next():
            try:
                results = await self._commit([it.item for it in group])
                for it, result in list(zip(group, results, strict=True)):
                    if not it.result.done():
                        it.result.set_result(result)
            except Exception as error:  # noqa: BLE001 - it is raised by each `submit`
                for it in group:
                    if not it.result.done():
                        it.result.set_exception(error)
            finally:  # changes nothing unless this task is cancelled, as at the end of its loop
                for it in group:
                    it.result.cancel()
        self._worker = None

    def _next(self) -> list[_Waiting[T, R]]:
        group: list[_Waiting[T, R]] = []
        weight = 0
        while self._waiting and len(group) < self._items:
            first = self._waiting[0]
            if first.result.done():  # it was cancelled
                self._waiting.popleft()
                continue
            weight += first.weight
            if group and weight > self._weight:
                break
            group.append(self._waiting.popleft())
        return group
