"""A collector of traces that reads OTLP as strictly as the official ones."""

from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from google.protobuf import json_format  # type: ignore[import-untyped]  # pants: no-infer-dep
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # pants: no-infer-dep

IDS = ("traceId", "spanId", "parentSpanId")


class Collector:
    """The spans that were sent to `endpoint`; answers with `status`, and 401 without the `key`."""

    def __init__(self, status: int, key: str) -> None:
        self.endpoint = ""
        self.status = status
        self.requests = 0
        self.spans: list[dict[str, Any]] = []
        self._key = key

    def by_name(self) -> dict[str, dict[str, Any]]:
        """Return the spans in the order in which they came; of a name, the last."""
        return {span["name"]: span for span in self.spans}

    async def receive(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-protobuf"
        self.requests += 1
        if self._key and request.headers.get("X-Api-Key") != self._key:
            return web.Response(status=web.HTTPUnauthorized.status_code)
        if self.status != web.HTTPOk.status_code:
            return web.Response(status=self.status)
        sent = trace_service_pb2.ExportTraceServiceRequest.FromString(await request.read())
        for group in sent.resource_spans:
            [service] = [
                it.value.string_value
                for it in group.resource.attributes
                if it.key == "service.name"
            ]
            for scope in group.scope_spans:
                self.spans += [_span(span) | {"service": service} for span in scope.spans]
        return web.Response(
            body=trace_service_pb2.ExportTraceServiceResponse().SerializeToString(),
            content_type="application/x-protobuf",
        )


def _span(message: Any) -> dict[str, Any]:
    span: dict[str, Any] = json_format.MessageToDict(message, use_integers_for_enums=True)
    span["links"] = [link | _hexadecimal(link) for link in span.get("links", [])]
    return span | _hexadecimal(span)


def _hexadecimal(it: dict[str, Any]) -> dict[str, str]:
    # The JSON of protobuf has them in base64, people write them in hexadecimal.
    return {name: b64decode(it.get(name, "")).hex() for name in IDS}


@asynccontextmanager
async def collecting(status: int = 200, key: str = "") -> AsyncIterator[Collector]:
    """Run a collector on this machine."""
    collector = Collector(status, key)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.add_routes([web.post("/v1/traces", collector.receive)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    collector.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield collector
    finally:
        await runner.cleanup()
