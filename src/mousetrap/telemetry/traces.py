"""Traces of jobs for OpenTelemetry: one trace follows a job through all processes.

The id of a job's trace is the job's id, so nobody has to store it or to look it up. The work of a
process on a job is a span. Messages between processes carry the context of the span that they come
from, in the form of W3C Trace Context, level 1.
"""

from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol, Self
from uuid import UUID

if TYPE_CHECKING:
    from mousetrap.telemetry.otlp import Traces


class Kind(Enum):
    """How a span relates to those around it; the names are OpenTelemetry's."""

    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """The work of one process on a job, as the block of a `with`; an exception is its error.

    `traceparent` is for the messages that follow from it.
    """

    traceparent: str | None

    def __enter__(self) -> Self: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None: ...

    def set_attributes(self, **attributes: str | int) -> None:
        """Add attributes, or replace those of the same names."""

    def fail(self, reason: str) -> None:
        """Mark the span as failed."""


class Unrecorded:
    """A span that is not recorded; it passes `traceparent` on."""

    __slots__ = ("traceparent",)

    def __init__(self, traceparent: str | None) -> None:
        self.traceparent = traceparent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        pass

    def set_attributes(self, **attributes: str | int) -> None:
        """Do nothing."""

    def fail(self, reason: str) -> None:
        """Do nothing."""


class Tracer:
    """Records spans and sends them to `endpoint`; use it as `async with`.

    Without an endpoint it records nothing and hands on the context that it is given. The share
    `ratio` of all jobs is traced. The job id decides, so all processes agree.
    """

    def __init__(self, service: str, endpoint: str = "", *, ratio: float = 1.0) -> None:
        self._service = service
        self._endpoint = endpoint
        self._ratio = ratio
        self._traces: Traces | None = None

    async def __aenter__(self) -> Self:
        if self._endpoint:
            # The SDK takes memory, so it is imported only where a collector is configured.
            from mousetrap.telemetry.otlp import Traces  # noqa: PLC0415

            self._traces = Traces(self._endpoint, self._service, self._ratio)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._traces is not None:
            await self._traces.close()

    def span(  # noqa: PLR0913 - all plain values
        self,
        name: str,
        kind: Kind,
        job_id: UUID,
        *,
        parent: str | None = None,
        begins: bool = False,
        caller: str | None = None,
        **attributes: str | int,
    ) -> Span:
        """Record the work on a job that is done within.

        `parent` is the traceparent of the message that is worked on. Without one the parent is the
        first span of the job's trace; a span that `begins` the trace is that first one. `caller` is
        the traceparent of somebody else's trace that the work is for: the span links to it.
        """
        if self._traces is None:
            return Unrecorded(parent)
        return self._traces.span(
            name, kind.name, job_id, attributes, parent=parent, begins=begins, caller=caller
        )


OFF: Final = Tracer("off")
"""Records nothing."""
