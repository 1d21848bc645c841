"""The configured sources."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from msgspec import Meta, Struct

from mousetrap.api.schema.fields import EXAMPLE_TIME, SourceName, Timestamp
from mousetrap.api.schema.job import JobStatus
from mousetrap.api.schema.summary import Summary
from mousetrap.queue.circuits import Circuit


class CircuitStatus(Struct, frozen=True):
    """The circuit breaker of a source."""

    state: Annotated[
        Literal["closed", "open", "half-open"],
        Meta(
            description="`open` while the source is not asked since it fails, `half-open` while one"
            " job probes it"
        ),
    ]
    since: Annotated[
        Timestamp | None,
        Meta(
            description="when it came into this state, or failed first; null if its last fetch"
            " did not fail",
            examples=[EXAMPLE_TIME],
        ),
    ]
    failures: Annotated[int, Meta(ge=0, description="failed fetches in a row")]
    last_error: Annotated[
        str | None,
        Meta(description="the code of its last failure; null without one", examples=["timeout"]),
    ]

    @classmethod
    def of(cls, circuit: Circuit | None) -> Self:
        """Return the body of a circuit; None is that of a source whose last fetch succeeded."""
        if circuit is None:
            return cls("closed", None, 0, None)
        since = datetime.fromtimestamp(circuit.since / 1000, UTC)
        return cls(circuit.state, since, circuit.failures, circuit.code)


class SourceStatus(Struct, frozen=True):
    """A configured source."""

    name: SourceName
    kind: Annotated[str, Meta(description="the kind of source", examples=["geojson"])]
    default: Annotated[bool, Meta(description="whether it is the default source")]
    every: Annotated[
        str | None,
        Meta(description="the period of its schedule; null without one", examples=["5m"]),
    ]
    circuit: Annotated[
        CircuitStatus | None,
        Meta(description="its circuit breaker; null while the queue cannot be reached"),
    ]
    newest: Annotated[Summary | None, Meta(description="its newest summary; null before the first")]
    newest_job: Annotated[
        JobStatus | None, Meta(description="the job that was requested last; null before the first")
    ]
    next_scheduled_at: Annotated[
        Timestamp | None,
        Meta(
            description="the next slot of its schedule; null without one", examples=[EXAMPLE_TIME]
        ),
    ]
    stale: Annotated[
        bool | None,
        Meta(
            description="whether its newest summary was requested more than two periods of its"
            " schedule ago, so that at least one refresh brought none; null without a schedule or a"
            " summary"
        ),
    ]


class SourceList(Struct, frozen=True):
    """All configured sources, by name."""

    items: list[SourceStatus]
