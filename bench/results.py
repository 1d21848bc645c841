"""Every round of everything, as it is written to a file.

Rounds stand under the name of their side, in the order in which they were done; OURS is always one
of the sides. The rounds of one number are neighbours, so that a ratio is of the same moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.machine import Machine

OURS: Final = "mousetrap"

BARE: Final = "bare"
BATCHED: Final = "batched"
"""The yardsticks of requests and of the pipeline: one at a time, and all that is at hand."""

ARRAYS: Final = "numpy"
CONVERTED: Final = "numpy with conversion"
"""The yardsticks of geo: arrays that are there already, and arrays made of the points."""

IMPORTS: Final = "imports"
"""The yardstick of a start."""

IN_ALL: Final = 400_000_000
"""The most bytes of PSS that the idle system may take."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests to one side; the processor's time is that of the API's process alone."""

    requests_per_s: float
    cpu_us_per_request: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Passage:
    """Jobs from `POST /refresh` to the stored summary; the last is the median of single jobs."""

    jobs_per_s: float
    cpu_us_per_job: Mapping[str, float]
    accepted_to_stored_ms: float


@dataclass(frozen=True, slots=True)
class Drain:
    """Jobs that waited before their workers began; the processor's time is that of the workers."""

    jobs_per_s: float
    cpu_us_per_job: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Latency:
    """From the moment at which a request was due to the notice that its summary is stored."""

    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Start:
    """From the start of a process until it is ready; the others are what it has taken by then."""

    ready_ms: float
    cpu_ms: float
    rss: int


@dataclass(frozen=True, slots=True)
class Resident:
    """The processes of one name together, in bytes; the limit is for their RSS."""

    name: str
    processes: int
    pss: int
    rss: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class Results:
    """All that one run measured; `geo` is milliseconds of processor time."""

    machine: Machine
    requests: Mapping[str, Mapping[str, Sequence[Requests]]]
    pipeline: Mapping[str, Mapping[str, Sequence[Passage]]]
    drain: Mapping[str, Sequence[Drain]]
    latency: Mapping[str, Sequence[Latency]]
    geo: Mapping[str, Sequence[float]]
    starts: Mapping[str, Mapping[str, Sequence[Start]]]
    memory: Sequence[Resident]
