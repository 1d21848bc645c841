"""The displayed fields of the API's answers; other fields are ignored."""

from datetime import datetime

from msgspec import Raw, Struct


class Place(Struct, frozen=True):
    """A point, in degrees WGS 84."""

    lat: float
    lon: float
    name: str | None = None


class Skipped(Struct, frozen=True):
    """The features that were left out of a batch."""

    count: int = 0
    reasons: dict[str, int] = {}
    first: tuple[str, ...] = ()


class Feed(Struct, frozen=True):
    """How a batch came about."""

    skipped: Skipped = Skipped()
    pages: int = 0
    bytes: int = 0
    status: int | None = None
    seconds: float = 0.0
    truncated: bool = False
    warnings: tuple[str, ...] = ()


class Groups(Struct, frozen=True):
    """The numbers of points by the value of a property."""

    counts: dict[str, int]
    others: int = 0
    without: int = 0


class Statistics(Struct, frozen=True):
    """The statistics of a numeric property."""

    count: int
    min: float | None
    median: float | None
    max: float | None
    mean: float | None


class Changes(Struct, frozen=True):
    """The numbers of features that are new or gone; None without a summary to compare with."""

    since: str | None = None
    new: int | None = None
    gone: int | None = None


class Grid(Struct, frozen=True):
    """The density of the points."""

    degrees: float
    cells: tuple[tuple[float, float, int], ...]


class Summary(Struct, frozen=True):
    """The summary of a batch."""

    job_id: str
    source: str
    requested_at: datetime
    fetched_at: datetime
    processed_at: datetime
    count: int
    centroid: tuple[float, float] | None
    most_northerly: Place
    bbox: tuple[float, float, float, float]
    groups: Groups | None = None
    values: Statistics | None = None
    grid: Grid | None = None
    changes: Changes | None = None
    feed: Feed | None = None


class Error(Struct, frozen=True):
    """The error of a job or of an attempt."""

    code: str
    detail: str


class Attempt(Struct, frozen=True):
    """A failed attempt."""

    number: int
    failed_at: datetime
    error: Error


class Job(Struct, frozen=True):
    """A job; lists of jobs omit `failed_attempts`."""

    job_id: str
    source: str
    state: str
    attempts: int
    requested_at: datetime
    fetched_at: datetime | None = None
    finished_at: datetime | None = None
    scheduled_for: datetime | None = None
    error: Error | None = None
    failed_attempts: tuple[Attempt, ...] = ()
    feed: Feed | None = None


class Session(Struct, frozen=True):
    """The caller: both are empty for an unknown token, only the name if the API needs none."""

    name: str | None
    scopes: tuple[str, ...]


class Accepted(Struct, frozen=True):
    """The answer to an accepted request."""

    job_id: str
    source: str


class Letter(Struct, frozen=True):
    """A dead letter."""

    id: int
    queue: str
    reason: str
    deliveries: int
    buried_at: datetime
    size: int
    job_id: str | None = None


class Circuit(Struct, frozen=True):
    """The circuit breaker of a source."""

    state: str
    failures: int = 0
    last_error: str | None = None


class Source(Struct, frozen=True):
    """A source that the API knows."""

    name: str
    kind: str
    default: bool
    every: str | None = None
    circuit: Circuit | None = None
    newest: Summary | None = None
    newest_job: Job | None = None
    next_scheduled_at: datetime | None = None
    stale: bool | None = None


class Queue(Struct, frozen=True):
    """A queue between two processes."""

    name: str
    messages: int
    oldest_seconds: float | None
    workers: int


class Page(Struct, frozen=True):
    """Undecoded entries of a list, and the cursor of the next page."""

    items: list[Raw]
    next: str | None = None


class Flaw(Struct, frozen=True):
    """An invalid field or parameter of a request."""

    name: str
    message: str


class Problem(Struct, frozen=True):
    """An error (RFC 9457)."""

    type: str
    title: str
    detail: str = ""
    errors: tuple[Flaw, ...] = ()

    @property
    def code(self) -> str:
        """The stable name of the kind of problem."""
        return self.type.rpartition(":")[2]
