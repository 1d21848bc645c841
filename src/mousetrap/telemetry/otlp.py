"""Sends spans to a collector: OTLP 1 over HTTP, in JSON.

OpenTelemetry's own SDK and exporter would make the image of a worker a quarter larger. Of all that
they do, this is what one trace per job needs.
"""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Self

import aiohttp
import msgspec

from mousetrap.telemetry import logs
from mousetrap.telemetry.outage import Outage
from mousetrap.telemetry.traces import Span

PATH: Final = "/v1/traces"
PERIOD: Final = 2.0
DEADLINE: Final = 5.0
LAST_DEADLINE: Final = 2.0
MOST_KEPT: Final = 4096
MOST_SENT: Final = 512

RETRYABLE: Final = frozenset({429, 502, 503, 504})
"""What a collector answers when it may take the same spans later: OTLP 1, section "Failures"."""

log = logs.logger(__name__)


class CollectorError(Exception):
    """The collector did not take the spans; `final` means that it never will."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the collector answered {status}: see what MOUSETRAP_OTLP_ENDPOINT names")
        self.final = status not in RETRYABLE


class Exporter:
    """Sends spans every 2 s, those that are left at the end within 2 s; use it as `async with`.

    It never makes anyone wait. What a collector that is away does not take is kept, at most 4096
    spans of it: the oldest are dropped first.
    """

    def __init__(self, endpoint: str, service: str) -> None:
        self._url = endpoint.rstrip("/") + PATH
        self._resource = _attributes(
            {
                "service.namespace": "mousetrap",
                "service.name": service,
                "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            }
        )
        self._spans: deque[Span] = deque(maxlen=MOST_KEPT)
        self._outage = Outage("sending traces")

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=DEADLINE)
        self._session = aiohttp.ClientSession(timeout=timeout)
        self._sending = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sending.cancel()
        await asyncio.wait([self._sending])
        try:
            async with asyncio.timeout(LAST_DEADLINE):
                await self._send_all()
        except (aiohttp.ClientError, CollectorError, OSError) as error:
            log.info("traces are lost", spans=len(self._spans), reason=str(error))
        finally:
            await self._session.close()

    def put(self, span: Span) -> None:
        """Take a span that has ended."""
        self._spans.append(span)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PERIOD)
            try:
                await self._send_all()
            except (aiohttp.ClientError, CollectorError, OSError) as error:
                self._outage.note(error)
            else:
                self._outage.over()

    async def _send_all(self) -> None:
        while self._spans:
            batch = [self._spans.popleft() for _ in range(min(MOST_SENT, len(self._spans)))]
            sent = False
            try:
                await self._send(batch)
                sent = True
            except CollectorError as error:
                sent = error.final
                raise
            finally:
                room = MOST_KEPT - len(self._spans)
                if not sent:
                    self._spans.extendleft(reversed(batch[max(0, len(batch) - room) :]))

    async def _send(self, spans: Sequence[Span]) -> None:
        body = msgspec.json.encode(_request(self._resource, spans))
        headers = {"Content-Type": "application/json"}
        async with self._session.post(self._url, data=body, headers=headers) as answer:
            if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise CollectorError(answer.status)


def _request(resource: Sequence[Any], spans: Sequence[Span]) -> dict[str, Any]:
    """Return an ExportTraceServiceRequest; opentelemetry-proto, trace.proto, says what is in it."""
    scope = {"scope": {"name": "mousetrap"}, "spans": [_span(span) for span in spans]}
    return {"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [scope]}]}


def _span(span: Span) -> dict[str, Any]:
    return {
        "traceId": f"{span.trace_id:032x}",
        "spanId": f"{span.span_id:016x}",
        "parentSpanId": f"{span.parent_id:016x}" if span.parent_id else "",
        "name": span.name,
        "kind": int(span.kind),
        "startTimeUnixNano": str(span.start),
        "endTimeUnixNano": str(span.end),
        "attributes": _attributes(span.attributes),
        "status": {"code": 2, "message": span.error} if span.error else {},
    }


def _attributes(values: Mapping[str, str | int]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue": str(it)} if isinstance(it, int) else {"stringValue": it}}
        for key, it in values.items()
    ]
