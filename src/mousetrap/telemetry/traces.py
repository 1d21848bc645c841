"""Traces of jobs, as OpenTelemetry draws them: one trace follows a job through all processes.

The id of a job's trace is the job's id, so nobody has to store it or to look it up. What a process
did for the job is a span; the messages between the processes name the one that they come from, in
the form of W3C Trace Context, level 1.
"""

import re
import time
from dataclasses import dataclass
from enum import IntEnum
from secrets import randbits
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID

if TYPE_CHECKING:
    from mousetrap.telemetry.otlp import Exporter

_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED: Final = 1
# Of a UUID of any version these bits are random; those to the left tell the version.
_RANDOM_BITS: Final = 56


class Kind(IntEnum):
    """What a span is to those around it; the numbers are OTLP's."""

    PRODUCER = 4
    CONSUMER = 5


@dataclass(slots=True)
class Span:
    """What one process did for a job, as the block of a `with`; it is the `exporter`'s at the end.

    `parent_id` 0 means that all of it began here. `traceparent` is for the messages that come of
    it. Times are in ns since 1970.
    """

    name: str
    kind: Kind
    trace_id: int
    span_id: int
    parent_id: int
    traceparent: str | None
    attributes: dict[str, str | int]
    exporter: "Exporter | None" = None
    start: int = 0
    end: int = 0
    error: str = ""

    def __enter__(self) -> Self:
        self.start = time.time_ns()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self.exporter is None:
            return
        if error is not None:
            self.error = f"{type(error).__name__}: {error}"
        self.end = time.time_ns()
        self.exporter.put(self)


class Tracer:
    """Records spans and sends them to `endpoint`; use it as `async with`.

    Without an endpoint it costs next to nothing and hands on what it is given. The share `ratio`
    of all jobs is traced; whether one is, is decided by its id, so that all processes agree.
    """

    def __init__(self, service: str, endpoint: str = "", *, ratio: float = 1.0) -> None:
        self._service = service
        self._endpoint = endpoint
        self._limit = round(ratio * 2**_RANDOM_BITS)
        self._exporter: Exporter | None = None

    async def __aenter__(self) -> Self:
        if self._endpoint:
            # Imported by those alone who export.
            from mousetrap.telemetry.otlp import Exporter  # noqa: PLC0415

            self._exporter = await Exporter(self._endpoint, self._service).__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._exporter is not None:
            await self._exporter.__aexit__(*_)

    def span(
        self,
        name: str,
        kind: Kind,
        job_id: UUID,
        *,
        parent: str | None = None,
        begins: bool = False,
        **attributes: str | int,
    ) -> Span:
        """Record what is done within for a job.

        `parent` is the traceparent of the message that is worked on. Without one, or when it
        `begins` the trace, it hangs on the span that began the trace of the job, or is that one.
        """
        trace_id = job_id.int
        if self._exporter is None:
            return Span(name, kind, trace_id, 0, 0, parent, {})
        parent_id, sampled = self._parent(job_id, parent)
        if not sampled:
            context = _format(trace_id, parent_id, 0)
            return Span(name, kind, trace_id, parent_id, 0, context, {})
        span_id = _root_id(job_id) if begins else randbits(64) or 1
        return Span(
            name=name,
            kind=kind,
            trace_id=trace_id,
            span_id=span_id,
            parent_id=0 if begins else parent_id,
            traceparent=_format(trace_id, span_id, _SAMPLED),
            attributes={f"mousetrap.{key}": value for key, value in attributes.items()},
            exporter=self._exporter,
        )

    def _parent(self, job_id: UUID, traceparent: str | None) -> tuple[int, bool]:
        found = _TRACEPARENT.fullmatch(traceparent or "")
        if found is None or found[1] != job_id.hex:
            return _root_id(job_id), job_id.int % 2**_RANDOM_BITS < self._limit
        return int(found[2], 16), bool(int(found[3], 16) & _SAMPLED)


OFF: Final = Tracer("off")
"""Records nothing."""


def _root_id(job_id: UUID) -> int:
    return job_id.int % 2**64


def _format(trace_id: int, span_id: int, flags: int) -> str:
    return f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}"
