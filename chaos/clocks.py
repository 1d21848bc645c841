"""Clocks of processes that can be set, by libfaketime: Debian's package `faketime` has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WITHIN: Final = 1.0
"""Seconds within which a process reads that its clock was set."""

_LIBRARIES: Final = "lib/*/faketime/libfaketimeMT.so.1"


def library() -> Path | None:
    """Return the library, None if it is not installed."""
    return next(Path("/usr").glob(_LIBRARIES), None)


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of the processes that are started in `environment`; right until it is set."""

    file: Path

    def set(self, seconds: float) -> None:
        """Set it so many seconds ahead of the right time, within WITHIN seconds."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+.0f}\n")
        new.chmod(0o644)
        new.rename(self.file)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that a process with this clock needs; its steady clock is right."""
        found = library()
        assert found is not None
        return {
            "LD_PRELOAD": str(found),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": f"{WITHIN:.0f}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            # This remedy for an old glibc ends a short wait at once with a new one, and CPython's
            # threads interrupt each other all the time: large batches take twenty times as long.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            # Files keep their times.
            "NO_FAKE_STAT": "1",
        }
