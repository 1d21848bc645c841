"""Where the fetch worker is put together."""

from mousetrap.fetch_worker.fetcher import Fetcher
from mousetrap.fetch_worker.metrics import FetchMetrics
from mousetrap.queue import streams
from mousetrap.queue.consumer import Consumer
from mousetrap.queue.publisher import Publisher
from mousetrap.runtime.worker import work
from mousetrap.settings.process import FetchWorkerSettings
from mousetrap.settings.sources import Sources
from mousetrap.sources.catalogue import Catalogue
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.traces import Tracer


async def run(settings: FetchWorkerSettings, sources: Sources) -> int:
    """Work until the process is told to stop; return its exit code."""
    metrics = FetchMetrics()
    async with (
        Tracer("fetch-worker", settings.otlp_endpoint, ratio=settings.trace_ratio) as tracer,
        Publisher(settings.redis_url) as publisher,
        Catalogue(sources) as catalogue,
    ):
        fetcher = Fetcher(catalogue, publisher, metrics, tracer=tracer)
        consumer = Consumer(
            settings.redis_url,
            streams.FETCH,
            fetcher.fetch,
            name="fetch-worker",
            concurrency=settings.concurrency,
            lease=settings.lease,
            max_deliveries=settings.max_deliveries,
            grace=settings.grace,
            bury=fetcher.bury,
            metrics=metrics.messages,
            room=fetcher.room,
        )
        return await work(
            consumer,
            Health({"redis": publisher.ping}),
            metrics,
            health_host=settings.health_host,
            health_port=settings.health_port,
        )
