"""What was measured, as it is kept: `docs/benchmarks/peers.json`."""

from msgspec import Struct


class Terms(Struct, frozen=True, kw_only=True):
    """What was the same for everybody; `seed` is what the moments of the faults follow from."""

    lease_s: int
    source_takes_s: float
    jobs_per_s: int
    load_s: float
    seed: int


class Fault(Struct, frozen=True, kw_only=True):
    """What was done to everybody, and how many seconds after the first job."""

    after_s: float
    what: str


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of the jobs of one contender.

    `open_at_last_fault` were accepted and not yet stored then. `lost` were never stored, `repeated`
    more than once. `recovery_s` is the longest that a job took, from when it was accepted or from
    the last fault if that was later; none, if nothing was stored after it. `ended_workers` is how
    often a worker ended by itself.
    """

    accepted: int
    refused: int
    open_at_last_fault: int
    lost: int
    repeated: int
    recovery_s: float | None
    ended_workers: int


class Scenario(Struct, frozen=True, kw_only=True):
    """One scenario: its faults, and what became of everybody's jobs."""

    name: str
    faults: list[Fault]
    outcomes: dict[str, Outcome]


class Speed(Struct, frozen=True, kw_only=True):
    """Jobs per second of one contender in one round.

    `rush` is from the first submission to the last result, `drain` from when the workers may begin
    with what was submitted.
    """

    rush: float
    drain: float


class Match(Struct, frozen=True, kw_only=True):
    """The rounds of Mousetrap and of a peer, by turns."""

    ours: list[Speed]
    theirs: list[Speed]


class Results(Struct, frozen=True, kw_only=True):
    """Everything; `load` is the load average of the minute before, `versions` are of packages."""

    date: str
    python: str
    processors: int
    architecture: str
    load: float
    versions: dict[str, dict[str, str]]
    terms: Terms
    matches: dict[str, Match]
    scenarios: list[Scenario]
