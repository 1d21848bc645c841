"""Tries again during an outage."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from mousetrap.runtime.outage import Errors, Outage


async def _always(_: Exception) -> bool:
    return True


async def retry[T](
    step: Callable[[], Awaitable[T]],
    doing: str,
    *,
    on: Errors,
    patience: float,
    may_give_up: Callable[[Exception], Awaitable[bool]] = _always,
) -> T:
    """Return what `step` returns, calling it again with back-off while it raises one of `on`.

    After `patience` seconds the error is raised, provided that `may_give_up` then says so of it.
    `doing` names the work in the logs.
    """
    outage = Outage(doing)
    end = time.monotonic() + patience
    while True:
        try:
            result = await step()
        except on as error:
            if time.monotonic() > end and await may_give_up(error):
                raise
            await outage.pause(error, asyncio.Event())
        else:
            outage.over()
            return result
