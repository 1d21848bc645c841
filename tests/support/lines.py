"""The lines that a program prints, as they come."""

import re
import threading
from time import monotonic
from typing import IO


class Lines:
    """Reads a stream in a thread, and looks for one line after the other.

    `every` has all lines that came.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.every: list[str] = []
        self._stream = stream
        self._passed = 0
        self._abandoned = False
        self._over = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def passed(self) -> list[str]:
        """The lines that were looked at."""
        return self.every[: self._passed]

    def find(self, pattern: str, *, deadline: float) -> re.Match[str]:
        """Return the match of the next line that has one; AssertionError if none comes in time."""
        end = monotonic() + deadline
        while (line := self._next(end)) is not None:
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"no line matches {pattern!r}:\n" + "\n".join(self.every))

    def finish(self, *, deadline: float) -> None:
        """Look at all lines up to the end of the stream; AssertionError if it does not come."""
        end = monotonic() + deadline
        while self._next(end) is not None:
            pass
        assert self._over, "the stream does not end:\n" + "\n".join(self.every)

    def abandon(self) -> None:
        """Stop reading, with the next line, so that the program soon cannot write any more."""
        self._abandoned = True

    def close(self, *, deadline: float) -> None:
        """Wait for the reader, whose program has ended."""
        self._reader.join(deadline)

    def _next(self, end: float) -> str | None:
        with self._news:
            self._news.wait_for(
                lambda: self._over or self._passed < len(self.every),
                timeout=max(0.0, end - monotonic()),
            )
            if self._passed == len(self.every):
                return None
            self._passed += 1
            return self.every[self._passed - 1]

    def _read(self) -> None:
        with self._stream as stream:
            for line in stream:
                if self._abandoned:
                    break
                with self._news:
                    self.every.append(line.decode().rstrip("\n"))
                    self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()
