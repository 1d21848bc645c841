"""Where the API is put together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from litestar import Litestar
from litestar.di import Provide

from mousetrap.api import (
    dashboard,
    dead_letters,
    docs,
    events,
    health,
    jobs,
    latest,
    problems,
    queues,
    refresh,
    scrape,
    sources,
    summaries,
)
from mousetrap.api.access import AccessLog
from mousetrap.api.admission import Admission
from mousetrap.api.broadcast import Broadcast
from mousetrap.api.compression import Compression
from mousetrap.api.cors import Cors
from mousetrap.api.depths import Depths
from mousetrap.api.gate import Application, Gate
from mousetrap.api.metrics import ApiMetrics
from mousetrap.api.newest import NewestSummaries
from mousetrap.api.services import Services
from mousetrap.api.shortcut import Shortcut
from mousetrap.queue.inspector import Inspector
from mousetrap.queue.publisher import Publisher
from mousetrap.settings.process import ApiSettings
from mousetrap.settings.sources import Sources
from mousetrap.store.database import Database
from mousetrap.store.metrics import PoolMetrics
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.traces import Tracer


@dataclass(frozen=True, slots=True)
class Api:
    """The application and what its process has to know of it: `asgi` is what is served.

    `end_streams` ends the answers that would not end by themselves, before the process stops.
    `shortcut` gives some of the answers of `asgi` in its place, if there is one.
    """

    asgi: Application
    litestar: Litestar
    health: Health
    end_streams: Callable[[], None]
    shortcut: Shortcut | None = None


def create_app(settings: ApiSettings, configured: Sources) -> Api:
    """Wire the API; nothing is connected to before its lifespan begins."""
    database = Database(settings.postgres_dsn, pool_size=settings.pool_size, lease=settings.lease)
    publisher = Publisher(settings.redis_url)
    watched = Health({"postgres": database.ping, "redis": publisher.ping})
    metrics = ApiMetrics()
    metrics.follow(watched)
    PoolMetrics(database, metrics.registry)
    admission = Admission(database, settings.backlog_limit, metrics)
    newest = NewestSummaries(database, configured.sources)
    broadcast = Broadcast(database.notices)
    inspector = Inspector(settings.redis_url)
    depths = Depths(inspector, lease=settings.lease)
    tracer = Tracer("api", settings.otlp_endpoint, ratio=settings.trace_ratio)
    services = Services(
        configured,
        database,
        publisher,
        inspector,
        depths,
        admission,
        newest,
        broadcast,
        watched,
        metrics,
        tracer,
    )
    litestar = Litestar(
        [
            latest.newest,
            refresh.refresh,
            *jobs.HANDLERS,
            *summaries.HANDLERS,
            dead_letters.index,
            queues.index,
            sources.index,
            events.stream,
            *health.HANDLERS,
            scrape.scrape,
            dashboard.router(),
        ],
        dependencies={"services": Provide(lambda: services, sync_to_thread=False)},
        lifespan=[lambda _: services.running()],
        exception_handlers=problems.HANDLERS,
        openapi_config=docs.config(),
        # Unset, these three come from the environment or replace the process' logging.
        debug=False,
        pdb_on_exception=False,
        logging_config=None,
    )
    access = AccessLog(settings.log_format)
    asgi = Cors(Gate(Compression(cast("Any", litestar)), metrics, access), settings.cors_origins)
    # Pages of other origins are told more, and people read lines that are made for them.
    plain = not settings.cors_origins and settings.log_format == "json"
    shortcut = Shortcut(newest, configured.default, metrics, access) if plain else None
    return Api(asgi, litestar, watched, broadcast.close, shortcut)
