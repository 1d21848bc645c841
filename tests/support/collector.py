"""A collector of traces that reads OTLP as strictly as the official ones."""

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from google.protobuf import json_format  # type: ignore[import-untyped]  # pants: no-infer-dep
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # pants: no-infer-dep

ID = re.compile(r'("(?:traceId|spanId|parentSpanId)":)"([0-9a-f]*)"')


class Collector:
    """What was sent to `endpoint`; answers with `status`."""

    def __init__(self, status: int) -> None:
        self.endpoint = ""
        self.status = status
        self.requests = 0
        self.spans: list[dict[str, Any]] = []

    def by_name(self) -> dict[str, dict[str, Any]]:
        """Return the spans in the order in which they came; of a name, the last."""
        return {span["name"]: span for span in self.spans}

    async def receive(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/json"
        self.requests += 1
        if self.status != web.HTTPOk.status_code:
            return web.Response(status=self.status)
        text = await request.text()
        # In OTLP's JSON ids are hexadecimal, in that of protobuf they would be base64.
        strict = ID.sub(lambda found: f'{found[1]}"{_base64(found[2])}"', text)
        json_format.Parse(strict, trace_service_pb2.ExportTraceServiceRequest())
        for group in (await request.json())["resourceSpans"]:
            [service] = [
                it["value"]["stringValue"]
                for it in group["resource"]["attributes"]
                if it["key"] == "service.name"
            ]
            for scope in group["scopeSpans"]:
                self.spans += [span | {"service": service} for span in scope["spans"]]
        return web.json_response({})


def _base64(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


@asynccontextmanager
async def collecting(status: int = 200) -> AsyncIterator[Collector]:
    """Run a collector on this machine."""
    collector = Collector(status)
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
