"""The moments of an open loop, which do not depend on earlier requests."""

import asyncio
import os
import random
import time
from collections.abc import AsyncGenerator, Sequence


def arrivals(rate: float, seconds: float, *, seed: int) -> list[float]:
    """Return the arrival times, in seconds, of a Poisson process of `rate` per second."""
    rng = random.Random(seed)  # noqa: S311 - the same in every run
    found, now = [], rng.expovariate(rate)
    while now < seconds:
        found.append(now)
        now += rng.expovariate(rate)
    return found


async def due(moments: Sequence[float]) -> AsyncGenerator[float]:
    """Yield each moment, by `perf_counter`, as soon as it has come; Linux only.

    A timer of the event loop may be a millisecond late, which is as long as some jobs take.
    """
    loop = asyncio.get_running_loop()
    timer = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)
    rang = asyncio.Event()

    def ring() -> None:
        os.read(timer, 8)
        rang.set()

    loop.add_reader(timer, ring)
    try:
        for moment in moments:
            if time.perf_counter() < moment:
                os.timerfd_settime(timer, flags=os.TFD_TIMER_ABSTIME, initial=moment)
                await rang.wait()
                rang.clear()
            yield moment
    finally:
        loop.remove_reader(timer)
        os.close(timer)
