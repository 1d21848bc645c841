"""The HTTP server of a worker: `/health/live`, `/health/ready` and `/metrics`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from mousetrap.telemetry import logs
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.metrics import CONTENT_TYPE, PATH, Metrics

log = logs.logger(__name__)

PATIENCE: Final = 0.5


@asynccontextmanager
async def serve(health: Health, metrics: Metrics, host: str, port: int) -> AsyncIterator[int]:
    """Answer orchestrators and Prometheus on `host`; yields the port, a free one for `port` 0."""

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_: web.Request) -> web.Response:
        return web.json_response(
            {"status": "ready" if health.ready else "unready", "checks": health.report()},
            status=200 if health.ready else 503,
        )

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application(client_max_size=1024)
    app.add_routes(
        [
            web.get("/health/live", live),
            web.get("/health/ready", ready),
            web.get(PATH, scrape),
        ]
    )
    # A client that does not finish its request must not hold up the end of the process.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=PATIENCE, lingering_time=PATIENCE)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        bound: int = runner.addresses[0][1]
        log.info("health checks are served", host=host, port=bound)
        yield bound
    finally:
        await runner.cleanup()
