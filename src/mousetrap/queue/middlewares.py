"""Middlewares of every task: log context, metrics, spans.

Their hooks run in the task of the message, so each message has its own context.
"""

import asyncio
import time
from contextvars import ContextVar
from typing import Any, Final

from taskiq.abc.middleware import TaskiqMiddleware
from taskiq.message import TaskiqMessage
from taskiq.result import TaskiqResult

from mousetrap.messages.schema import FetchRequested, Message, SummaryStored
from mousetrap.queue.deliveries import Delivery
from mousetrap.queue.errors import QueueUnavailableError, RejectedMessageError
from mousetrap.queue.metrics import ConsumerMetrics, Result
from mousetrap.telemetry import logs
from mousetrap.telemetry.traces import Kind, Span, Tracer, Unrecorded

log = logs.logger(__name__)

NOT_ACKNOWLEDGED = "message is not acknowledged, it comes again when its lease has run out"
DELIVERY: Final = "delivery"
"""The label that holds the Delivery of a message in this process; no label comes from a sender."""

_SPAN: Final = ContextVar[Span | None]("span", default=None)


def delivery_of(message: TaskiqMessage) -> Delivery:
    """Return the delivery that a message came with."""
    delivery: Delivery = message.labels[DELIVERY]
    return delivery


def current_span() -> Span:
    """Return the span of the current task; outside of a task, one that is not recorded."""
    return _SPAN.get() or Unrecorded(None)


class LogMiddleware(TaskiqMiddleware):
    """Binds queue, message and job to the log lines of a task, and logs redeliveries."""

    def __init__(self, queue: str) -> None:
        super().__init__()
        self._queue = queue

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        """Bind the facts; nobody unbinds them, because each message has a context of its own."""
        delivery, [payload] = delivery_of(message), message.args
        job_id = getattr(payload, "job_id", None) or delivery.job_id
        facts = {} if job_id is None else {"job_id": job_id}
        logs.only_about(queue=self._queue, message_id=delivery.id, **facts)
        return message

    def on_error(self, message: TaskiqMessage, _: TaskiqResult[Any], error: BaseException) -> None:
        """Log a failure, unless the receiver logs it."""
        deliveries = delivery_of(message).deliveries
        if isinstance(error, QueueUnavailableError):
            log.warning(NOT_ACKNOWLEDGED, deliveries=deliveries, reason=str(error))
        elif not isinstance(error, RejectedMessageError | asyncio.CancelledError):
            log.error(NOT_ACKNOWLEDGED, deliveries=deliveries, exc_info=error)


class MetricsMiddleware(TaskiqMiddleware):
    """Counts the result of each message and its handling time."""

    def __init__(self, metrics: ConsumerMetrics) -> None:
        super().__init__()
        self._metrics = metrics

    def on_error(self, message: TaskiqMessage, _: TaskiqResult[Any], error: BaseException) -> None:
        """Count a failure."""
        match error:
            case RejectedMessageError():
                result = Result.GIVEN_UP
            case asyncio.CancelledError():
                result = Result.CUT_OFF
            case _:
                result = Result.NOT_ACKNOWLEDGED
        self._handled(message, result)

    def post_execute(self, message: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        """Count a success."""
        if not result.is_err:
            self._handled(message, Result.DONE)

    def _handled(self, message: TaskiqMessage, result: Result) -> None:
        delivery = delivery_of(message)
        self._metrics.handled(result, time.perf_counter() - delivery.since)
        if delivery.deliveries > 1:
            self._metrics.repeated.inc()


class TraceMiddleware(TaskiqMiddleware):
    """Records a span for each task of a job, from its begin to the end of its message."""

    def __init__(self, tracer: Tracer) -> None:
        super().__init__()
        self._tracer = tracer

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        """Begin a span, called like the task, which hangs on the span that sent the message."""
        [payload] = message.args
        if isinstance(payload, Message):
            span = self._tracer.span(
                message.task_name.rpartition(".")[2],
                Kind.CONSUMER,
                payload.job_id,
                parent=payload.traceparent,
                attempt=payload.attempt,
                **_about(payload),
            )
            _SPAN.set(span.__enter__())
        return message

    def on_error(self, _: TaskiqMessage, __: TaskiqResult[Any], error: BaseException) -> None:
        """End the span with the error."""
        self._end(error)

    def post_execute(self, _: TaskiqMessage, result: TaskiqResult[Any]) -> None:
        """End the span."""
        if not result.is_err:
            self._end(None)

    def _end(self, error: BaseException | None) -> None:
        if (span := _SPAN.get()) is not None:
            span.__exit__(None, error, None)


def _about(message: Message) -> dict[str, Any]:
    if isinstance(message, FetchRequested | SummaryStored):
        return {"source": message.source}
    return {"outcome": type(message).__name__}
