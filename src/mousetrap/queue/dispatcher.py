"""Sends the messages that give the workers something to do."""

import msgspec

from mousetrap.messages.schema import FetchRequested, SummaryStored
from mousetrap.queue.publisher import MessageSender
from mousetrap.telemetry.traces import OFF, Kind, Tracer


class Dispatcher:
    """Sends messages, each with a span of its job's trace, which it carries on."""

    def __init__(self, publisher: MessageSender, tracer: Tracer = OFF) -> None:
        self._publisher = publisher
        self._tracer = tracer

    async def send(
        self,
        message: FetchRequested | SummaryStored,
        span: str,
        *,
        begins: bool = False,
        caller: str | None = None,
    ) -> None:
        """Return once the queue has the message; raises what MessageSender.send does.

        `span` names the span; `begins` and `caller` are those of `Tracer.span`.
        """
        with self._tracer.span(
            span,
            Kind.PRODUCER,
            message.job_id,
            begins=begins,
            caller=caller,
            source=message.source,
            attempt=message.attempt,
        ) as recorded:
            await self._publisher.send(
                msgspec.structs.replace(message, traceparent=recorded.traceparent)
            )
