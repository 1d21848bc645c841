"""All rounds of a run, as written to a file.

Rounds are grouped by the name of their side, in order of time; OURS is always one of the sides.
Rounds of the same number are neighbours in time, so a ratio compares the same moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.machine import Machine

OURS: Final = "mousetrap"

BARE: Final = "bare"
BATCHED: Final = "batched"
"""The yardsticks of requests and of the pipeline: one at a time, and in batches."""

ARRAYS: Final = "numpy"
CONVERTED: Final = "numpy with conversion"
"""The yardsticks of geo: ready arrays, and arrays made from the points."""

IMPORTS: Final = "imports"
"""The yardstick of a start."""

IN_ALL: Final = 400_000_000
"""The limit of the idle system: bytes of PSS."""


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests to one side; processor time is that of the API process only."""

    requests_per_s: float
    cpu_us_per_request: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Passage:
    """Jobs from `POST /refresh` to the stored summary; the last field is of single jobs."""

    jobs_per_s: float
    cpu_us_per_job: Mapping[str, float]
    accepted_to_stored_ms: float


@dataclass(frozen=True, slots=True)
class Drain:
    """Jobs that waited before the workers began; processor time is that of the workers."""

    jobs_per_s: float
    cpu_us_per_job: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Latency:
    """The time from when a request is due to the notice that its summary is stored."""

    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a process: the time until it is ready, and its use by then."""

    ready_ms: float
    cpu_ms: float
    rss: int


@dataclass(frozen=True, slots=True)
class Resident:
    """All processes of one name, in bytes; the limit is for their RSS."""

    name: str
    processes: int
    pss: int
    rss: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class Results:
    """All results of a run; `geo` is milliseconds of processor time."""

    machine: Machine
    requests: Mapping[str, Mapping[str, Sequence[Requests]]]
    pipeline: Mapping[str, Mapping[str, Sequence[Passage]]]
    drain: Mapping[str, Sequence[Drain]]
    latency: Mapping[str, Sequence[Latency]]
    geo: Mapping[str, Sequence[float]]
    starts: Mapping[str, Mapping[str, Sequence[Start]]]
    memory: Sequence[Resident]
