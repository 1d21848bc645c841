"""The machine of a measurement."""

import os
import platform
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine; `load` is its load average over the minute before."""

    processors: int
    architecture: str
    python: str
    load: float

    def __str__(self) -> str:
        return (
            f"CPython {self.python}, {self.processors} processors ({self.architecture}),"
            f" load average before: {self.load}"
        )


def look() -> Machine:
    """Return this machine."""
    return Machine(
        processors=os.process_cpu_count() or 1,
        architecture=platform.machine(),
        python=platform.python_version(),
        load=round(os.getloadavg()[0], 2),
    )
