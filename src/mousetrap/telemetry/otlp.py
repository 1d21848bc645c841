"""OpenTelemetry's SDK, set up for one trace per job; imported only where a collector is named."""

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Final, Self
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

from mousetrap.telemetry import logs

PATH: Final = "/v1/traces"
PERIOD: Final = 2.0
"""Seconds between two exports."""
DEADLINE: Final = 5.0
"""Seconds after which an export is given up, its retries included."""
LAST_DEADLINE: Final = 1.0
"""Seconds that the last export may take while the process ends."""
MOST_KEPT: Final = 4096
MOST_SENT: Final = 512
MOST_ATTRIBUTES: Final = 32
MOST_TEXT: Final = 1024
"""Characters of an attribute."""

# The last 56 bits of a UUID are random in every version; those to the left hold a time, say.
RANDOM: Final = 1 << 56

log = logs.logger(__name__)

_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()
_FIELD: Final = "traceparent"


def named(attributes: Mapping[str, str | int]) -> dict[str, str | int]:
    """Return attributes under the names that a collector sees."""
    return {f"mousetrap.{key}": value for key, value in attributes.items()}


def root_id(job_id: UUID) -> int:
    """Return the id of the span that begins the trace of a job."""
    return job_id.int % 2**64


def _read(traceparent: str | None) -> SpanContext:
    found = _TRACE_CONTEXT.extract({_FIELD: traceparent or ""}, Context())
    return get_current_span(found).get_span_context()


class JobIds(IdGenerator):
    """Gives a trace the id of its job, and the span that begins it an id that follows from it."""

    def __init__(self) -> None:
        self._beginning: ContextVar[UUID | None] = ContextVar("beginning", default=None)
        self._random = RandomIdGenerator()

    @contextmanager
    def beginning(self, job_id: UUID) -> Iterator[None]:
        """Begin the trace of a job with the span that is started within."""
        token = self._beginning.set(job_id)
        try:
            yield
        finally:
            self._beginning.reset(token)

    def generate_span_id(self) -> int:
        """Return the root's id for a span that begins a trace, and a random one for others."""
        job_id = self._beginning.get()
        return self._random.generate_span_id() if job_id is None else root_id(job_id)

    def generate_trace_id(self) -> int:
        """Return the id of the job whose trace begins."""
        job_id = self._beginning.get()
        return self._random.generate_trace_id() if job_id is None else job_id.int


class JobSampler(Sampler):
    """Samples the share `ratio` of all jobs by their random bits, so that all processes agree.

    The SDK's TraceIdRatioBased compares bits that are not random in a UUID.
    """

    def __init__(self, ratio: float) -> None:
        self._limit = round(ratio * RANDOM)

    def samples(self, trace_id: int) -> bool:
        """Tell whether a trace is sampled."""
        return trace_id % RANDOM < self._limit

    def should_sample(  # noqa: PLR0913, PLR0917 - the SDK's signature
        self,
        parent_context: Context | None,  # noqa: ARG002
        trace_id: int,
        name: str,  # noqa: ARG002
        kind: SpanKind | None = None,  # noqa: ARG002
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,  # noqa: ARG002
        trace_state: TraceState | None = None,  # noqa: ARG002
    ) -> SamplingResult:
        """Return the decision for a span without a parent."""
        if self.samples(trace_id):
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)
        return SamplingResult(Decision.DROP)

    def get_description(self) -> str:
        """Return the name of the sampler."""
        return "JobSampler"


class OutageHandler(logging.Handler):
    """Logs the first complaint of the SDK's loggers, and then none until an export succeeds."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._failing = False

    def emit(self, record: logging.LogRecord) -> None:
        """Log a complaint, unless one was logged in this outage."""
        if not self._failing:
            self._failing = True
            log.warning("traces are not sent", reason=record.getMessage())

    def over(self) -> None:
        """Take notice of an export that succeeded."""
        if self._failing:
            self._failing = False
            log.info("traces are sent again")


class Exporter(OTLPSpanExporter):
    """The stock exporter; tells `outage` of each success."""

    def __init__(self, endpoint: str, outage: OutageHandler) -> None:
        super().__init__(endpoint=endpoint.rstrip("/") + PATH, timeout=DEADLINE)
        self._outage = outage

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans, with retries, for at most DEADLINE seconds."""
        result = super().export(spans)
        if result is SpanExportResult.SUCCESS:
            self._outage.over()
        return result


class Recorded:
    """A span as the block of a `with`; `telemetry.traces.Span` says more."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Span) -> None:
        carrier: dict[str, str] = {}
        _TRACE_CONTEXT.inject(carrier, set_span_in_context(span, Context()))
        self._span = span
        self.traceparent: str | None = carrier[_FIELD]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None:
            self.fail(f"{type(error).__name__}: {error}")
        self._span.end()

    def set_attributes(self, **attributes: str | int) -> None:
        """Add attributes, or replace those of the same names."""
        self._span.set_attributes(named(attributes))

    def fail(self, reason: str) -> None:
        """Mark the span as failed."""
        self._span.set_status(Status(StatusCode.ERROR, reason[:MOST_TEXT]))


class Traces:
    """Starts spans of jobs and sends them to the collector at `endpoint`, in a thread.

    Callers never wait for the collector: at most 4096 spans are buffered, the oldest are dropped.
    """

    def __init__(self, endpoint: str, service: str, ratio: float) -> None:
        self._outage = OutageHandler()
        self._library = logging.getLogger("opentelemetry")
        self._library.addHandler(self._outage)
        self._library.propagate = False
        self._ids = JobIds()
        self._sampler = JobSampler(ratio)
        self._exporter = Exporter(endpoint, self._outage)
        self._provider = TracerProvider(
            sampler=ParentBased(self._sampler),
            resource=Resource.create(
                {
                    "service.namespace": "mousetrap",
                    "service.name": service,
                    "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
                }
            ),
            shutdown_on_exit=False,
            id_generator=self._ids,
            span_limits=SpanLimits(max_attributes=MOST_ATTRIBUTES, max_attribute_length=MOST_TEXT),
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._exporter,
                max_queue_size=MOST_KEPT,
                schedule_delay_millis=PERIOD * 1000,
                max_export_batch_size=min(MOST_SENT, MOST_KEPT),
            )
        )
        self._tracer = self._provider.get_tracer("mousetrap")

    def span(  # noqa: PLR0913 - the collaborators of a span, all plain values
        self,
        name: str,
        kind: str,
        job_id: UUID,
        attributes: Mapping[str, str | int],
        *,
        parent: str | None,
        begins: bool,
        caller: str | None,
    ) -> Recorded:
        """Start the span that begins the trace of a job, or one below `parent` or that first one.

        `kind` is the name of one of OpenTelemetry's kinds.
        """
        context = Context() if begins else self._context(job_id, parent)
        links = [Link(found) for found in [_read(caller)] if found.is_valid]
        with self._ids.beginning(job_id) if begins else nullcontext():
            return Recorded(
                self._tracer.start_span(name, context, SpanKind[kind], named(attributes), links)
            )

    def _context(self, job_id: UUID, parent: str | None) -> Context:
        found = _read(parent)
        if found.trace_id == job_id.int:
            return set_span_in_context(NonRecordingSpan(found), Context())
        sampled = self._sampler.samples(job_id.int)
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        root = SpanContext(job_id.int, root_id(job_id), is_remote=True, trace_flags=flags)
        return set_span_in_context(NonRecordingSpan(root), Context())

    async def close(self) -> None:
        """Send the spans that are left, for at most LAST_DEADLINE seconds."""
        # The SDK would wait for 30 s. A thread that hangs in a request must not hold the process.
        flush = threading.Thread(target=self._provider.shutdown, daemon=True)
        flush.start()
        await asyncio.to_thread(flush.join, LAST_DEADLINE)
        if flush.is_alive():
            self._exporter.shutdown()  # type: ignore[no-untyped-call]
            log.info("traces are lost", reason="the collector did not take them in time")
        self._library.removeHandler(self._outage)
        self._library.propagate = True
