"""A circuit breaker of a server: few callers wait for one that does not answer."""

import time
from types import TracebackType
from typing import Final

from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.server import Answering

PAUSE: Final = 1.0
"""Seconds between two attempts to reach a server that did not answer."""


class Breaker:
    """Knows whether the server was silent; the callers of one server share it.

    A call may take `deadline` seconds. After one in which the server was silent, calls fail at
    once, but for one each PAUSE: many callers must not wait, each for the deadline, for a server
    that is away. A server that refuses calls at once is not silent.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._failure = ""
        self._try_again = 0.0
        self._probe = False

    def admit(self) -> None:
        """Raise QueueUnavailableError if nothing may be asked of the server."""
        if self._failure:
            if time.monotonic() < self._try_again:
                raise QueueUnavailableError(self._failure)
            self._probe = True
            self._try_again = time.monotonic() + self._deadline + PAUSE

    def call(self) -> "Call":
        """Return a call for those who were admitted; use it as `async with`.

        Raises QueueUnavailableError; at once if the server was silent since they were admitted.
        """
        return Call(self, self._deadline)

    def begin(self) -> None:
        """Raise QueueUnavailableError if only others may be asking."""
        if self._failure and not self._probe:
            raise QueueUnavailableError(self._failure)
        self._probe = False

    def end(self, begun: float, error: BaseException | None) -> None:
        """Record how a call ended that began at a time."""
        now = time.monotonic()
        is_silent = isinstance(error, QueueUnavailableError) and now - begun > self._deadline / 2
        self._failure = str(error) if is_silent else ""
        self._try_again = now + PAUSE


class Call(Answering):
    """One call under a breaker."""

    __slots__ = ("_begun", "_breaker")

    def __init__(self, breaker: Breaker, deadline: float) -> None:
        super().__init__(deadline)
        self._breaker = breaker

    async def __aenter__(self) -> None:
        self._breaker.begin()
        self._begun = time.monotonic()
        await super().__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await super().__aexit__(kind, error, traceback)
        except QueueUnavailableError as unavailable:
            error = unavailable
            raise
        finally:
            self._breaker.end(self._begun, error)
