"""The results, as stored in `docs/benchmarks/peers.json`."""

from msgspec import Struct


class Terms(Struct, frozen=True, kw_only=True):
    """The terms of all contenders; `seed` determines the moments of the faults."""

    lease_s: int
    source_takes_s: float
    jobs_per_s: int
    load_s: float
    seed: int


class Fault(Struct, frozen=True, kw_only=True):
    """A fault of all contenders, and its seconds after the first job."""

    after_s: float
    what: str


class Outcome(Struct, frozen=True, kw_only=True):
    """The jobs of one contender.

    `open_at_last_fault` counts jobs that were accepted and not yet stored then, `lost` those never
    stored, `repeated` those stored more than once. `recovery_s` is the longest time of a job from
    its acceptance or, if later, from the last fault; None if nothing was stored after the fault.
    `ended_workers` counts workers that ended by themselves.
    """

    accepted: int
    refused: int
    open_at_last_fault: int
    lost: int
    repeated: int
    recovery_s: float | None
    ended_workers: int


class Scenario(Struct, frozen=True, kw_only=True):
    """A scenario: its faults, and the outcome of each contender."""

    name: str
    faults: list[Fault]
    outcomes: dict[str, Outcome]


class Speed(Struct, frozen=True, kw_only=True):
    """Jobs per second of one contender in one round.

    `rush` counts from the first submission to the last result, `drain` from the moment at which the
    workers may begin with the submitted jobs.
    """

    rush: float
    drain: float


class Match(Struct, frozen=True, kw_only=True):
    """The rounds of Mousetrap and of a peer, in turns."""

    ours: list[Speed]
    theirs: list[Speed]


class Results(Struct, frozen=True, kw_only=True):
    """All results; `load` is the load average of the minute before, `versions` of packages."""

    date: str
    python: str
    processors: int
    architecture: str
    load: float
    versions: dict[str, dict[str, str]]
    terms: Terms
    matches: dict[str, Match]
    scenarios: list[Scenario]
