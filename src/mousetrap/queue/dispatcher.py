"""Sends jobs to the fetch workers."""

from datetime import datetime
from uuid import UUID

from mousetrap.messages.schema import FetchRequested
from mousetrap.queue.publisher import MessageSender
from mousetrap.telemetry.traces import OFF, Kind, Tracer


class Dispatcher:
    """Sends the request for a batch, with a span of the job's trace."""

    def __init__(self, publisher: MessageSender, tracer: Tracer = OFF) -> None:
        self._publisher = publisher
        self._tracer = tracer

    async def send(  # noqa: PLR0913 - the fields of a message
        self,
        span: str,
        job_id: UUID,
        source: str,
        *,
        attempt: int,
        requested_at: datetime | None,
        begins: bool = False,
        caller: str | None = None,
    ) -> None:
        """Return once the queue has the request; raises QueueUnavailableError.

        `span` names the span; `begins` and `caller` are those of `Tracer.span`.
        """
        with self._tracer.span(
            span,
            Kind.PRODUCER,
            job_id,
            begins=begins,
            caller=caller,
            source=source,
            attempt=attempt,
        ) as recorded:
            await self._publisher.send(
                FetchRequested(
                    job_id=job_id,
                    source=source,
                    attempt=attempt,
                    requested_at=requested_at,
                    traceparent=recorded.traceparent,
                )
            )
