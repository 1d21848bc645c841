"""A server that cannot be used for a while: logged once, tried again with back-off."""

import asyncio
import contextlib
import random
import time

from mousetrap.telemetry import logs

log = logs.logger(__name__)

type Errors = tuple[type[Exception], ...]

FIRST_DELAY = 0.1
LONGEST_DELAY = 2.0


class Outage:
    """Logs one warning when something stops working and one line when it works again.

    `doing` says what that is, as in "reading mousetrap:fetch".
    """

    def __init__(self, doing: str) -> None:
        self._doing = doing
        self._failures = 0
        self._since = 0.0

    def record(self, error: BaseException) -> None:
        """Log a failure if it is the first."""
        if self._failures == 0:
            self._since = time.monotonic()
            reason = f"{type(error).__name__}: {error}"
            log.warning("%s does not work, trying again", self._doing, reason=reason)
        self._failures += 1

    async def pause(self, error: BaseException, stop: asyncio.Event) -> None:
        """Record a failure, and wait before the next attempt, but not when `stop` is set.

        The delay doubles with every failure; jitter keeps workers from coming back all at once.
        """
        self.record(error)
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self._failures - 1, 10))
        delay *= random.uniform(0.5, 1)  # noqa: S311 - spreads load, guards nothing
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await stop.wait()

    def over(self) -> None:
        """Record a success."""
        if self._failures:
            seconds = round(time.monotonic() - self._since, 3)
            log.info("%s works again", self._doing, failures=self._failures, seconds=seconds)
        self._failures = 0
