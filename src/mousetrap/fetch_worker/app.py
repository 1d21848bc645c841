"""Wires the fetch worker."""

from mousetrap.fetch_worker import tasks
from mousetrap.fetch_worker.bulkheads import Bulkheads
from mousetrap.fetch_worker.fetcher import MAX_IN_HAND, Fetcher
from mousetrap.fetch_worker.metrics import FetchMetrics
from mousetrap.queue.begun import BegunJobs
from mousetrap.queue.broker import StreamBroker, own_name
from mousetrap.queue.circuits import Circuits
from mousetrap.queue.pieces import PieceStore
from mousetrap.queue.receiver import StreamReceiver
from mousetrap.queue.stages import FETCH, PROCESS
from mousetrap.queue.task_publisher import TaskPublisher
from mousetrap.runtime.worker import work
from mousetrap.settings.process import FetchWorkerSettings
from mousetrap.settings.secrets import Keyring
from mousetrap.settings.sources import Sources
from mousetrap.sources.catalogue import Catalogue
from mousetrap.sources.http.network import Network
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.traces import Tracer


async def run(
    settings: FetchWorkerSettings, sources: Sources, keyring: Keyring, network: Network
) -> int:
    """Work until the process is told to stop; return its exit code."""
    metrics = FetchMetrics()
    async with (
        Tracer("fetch-worker", settings.otlp_endpoint, ratio=settings.trace_ratio) as tracer,
        TaskPublisher(settings.redis_url, stages=(PROCESS,)) as publisher,
        Circuits(settings.redis_url) as circuits,
        BegunJobs(settings.redis_url) as begun,
        PieceStore(settings.redis_url) as pieces,
        Catalogue(
            sources,
            keyring=keyring,
            network=network,
            # Jobs that have an answer must not wait for those that have none yet.
            max_connections=settings.concurrency,
        ) as catalogue,
        StreamBroker(
            settings.redis_url,
            FETCH,
            consumer=own_name("fetch-worker"),
            lease=settings.lease,
            max_deliveries=settings.max_deliveries,
        ) as broker,
    ):
        fetcher = Fetcher(catalogue, publisher, pieces, metrics)
        bulkheads = Bulkheads(sources.sources, circuits, begun, fetcher.weigh, MAX_IN_HAND)
        tasks.declare(broker, fetcher)

        async def reach() -> None:
            await broker.ping()
            await publisher.ping()

        receiver = StreamReceiver(
            broker,
            concurrency=settings.concurrency,
            grace=settings.grace,
            bury=fetcher.bury,
            metrics=metrics.messages,
            tracer=tracer,
            admit=bulkheads.admit,
        )
        return await work(
            receiver,
            Health({"redis": reach}),
            metrics,
            health_host=settings.health_host,
            health_port=settings.health_port,
        )
