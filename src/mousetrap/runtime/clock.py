"""The clock of a server, compared with the steady one of this process."""

import time
from typing import Final

TOLERANCE: Final = 1.0
"""Seconds: adjustments of time services are smaller."""


class ServerClock:
    """Notices when the clock of a server is set back or ahead."""

    def __init__(self) -> None:
        self._before: tuple[float, float, float] | None = None

    def step(self, told: float, asked: float) -> float:
        """Return by how many seconds the clock has stepped since the last call, negative is back.

        The server `told` its time, in seconds since 1970, when it was `asked` at that time of
        time.monotonic(). The way of question and answer is no step, nor is less than TOLERANCE.
        """
        now, before = time.monotonic(), self._before
        self._before = told, asked, now
        if before is None:
            return 0.0
        told_before, asked_before, heard_before = before
        moved = told - told_before
        least, most = asked - heard_before, now - asked_before
        step = min(0.0, moved - least) or max(0.0, moved - most)
        return step if abs(step) > TOLERANCE else 0.0
