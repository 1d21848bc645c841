"""Wires the API."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from litestar import Litestar, Request, Router
from litestar.di import Provide

from mousetrap.api.http import (
    authentication,
    cors,
    negotiation,
    problems,
    proxies,
    queries,
    root_path,
)
from mousetrap.api.http.access import Access
from mousetrap.api.http.compression import Compression
from mousetrap.api.http.connections import Connections
from mousetrap.api.http.hosts import Hosts
from mousetrap.api.http.limits import Application, Limits
from mousetrap.api.http.peers import Peers
from mousetrap.api.http.rate_limit import RateLimit
from mousetrap.api.http.scopes import Scope
from mousetrap.api.http.transfers import Transfers
from mousetrap.api.live.admission import Admission
from mousetrap.api.live.broadcast import Broadcast
from mousetrap.api.live.circuits import CircuitCache
from mousetrap.api.live.queue_depth import QueueDepths
from mousetrap.api.live.summary_cache import SummaryCache
from mousetrap.api.metrics import ApiMetrics
from mousetrap.api.routes import (
    dashboard,
    dead_letters,
    docs,
    events,
    health,
    jobs,
    newest,
    queues,
    refresh,
    session,
    sources,
    summaries,
)
from mousetrap.api.routes.metrics import scrape
from mousetrap.api.schema.job import Addresses
from mousetrap.api.services import Services
from mousetrap.queue.begun import BegunJobs
from mousetrap.queue.breaker import Breaker
from mousetrap.queue.circuits import Circuits
from mousetrap.queue.dispatcher import Dispatcher
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.queue.inspector import Inspector
from mousetrap.queue.publisher import Publisher
from mousetrap.queue.server import DEADLINE
from mousetrap.runtime.supervision import Supervisor, Watcher
from mousetrap.settings.process import ApiSettings
from mousetrap.settings.sources import Sources
from mousetrap.store.database import Database
from mousetrap.store.errors import StoreError, StoreUnavailableError
from mousetrap.store.metrics import PoolMetrics
from mousetrap.telemetry.health import Health
from mousetrap.telemetry.traces import Tracer


@dataclass(frozen=True, slots=True)
class Api:
    """The application and the objects that its server needs; the server serves `asgi`.

    Once `supervisor` has failed, the process must end with exit code 1. `end_streams` ends the
    event streams before the process stops. `connections` are those of the server.
    """

    asgi: Application
    litestar: Litestar
    health: Health
    supervisor: Supervisor
    end_streams: Callable[[], None]
    connections: Connections


async def _check(request: Request[Any, Any, Any]) -> None:
    # One hook for both, for that of the innermost router is the only one.
    await negotiation.negotiate(request)
    await queries.check(request)


def create_app(settings: ApiSettings, configured: Sources) -> Api:
    """Wire the API; it opens no connection before its lifespan begins.

    Raises SettingsError if nobody said who may use the API, if its tokens cannot be read, or if the
    trusted proxies are no addresses.
    """
    tokens = authentication.load(settings)
    peers = Peers(settings.trusted_proxies)
    database = Database(
        settings.postgres_dsn, pool_size=settings.pool_size, lease=settings.lease, process="api"
    )
    breaker = Breaker(DEADLINE)  # of Redis, for what a caller waits for
    publisher = Publisher(settings.redis_url, breaker=breaker)
    watched = Health({"postgres": database.ping, "redis": publisher.ping})
    metrics = ApiMetrics()
    PoolMetrics(database, metrics.registry)
    limits = {name: it.max_queued for name, it in configured.sources.items()}
    admission = Admission(database, settings.backlog_limit, limits, metrics)
    cache = SummaryCache(database, configured.sources)
    broadcast = Broadcast(
        database.notices,
        peers,
        metrics,
        per_peer=max(1, settings.max_connections_per_peer // 2),
        admit=lambda caller: tokens is None or tokens.allow(caller, Scope.READ),
        root=settings.root_path,
    )
    if tokens is not None:
        tokens.changed = broadcast.review
    inspector = Inspector(settings.redis_url)
    depths = QueueDepths(inspector, lease=settings.lease)
    circuits = Circuits(settings.redis_url)
    supervisor = Supervisor(
        watched,
        watchers=(
            Watcher("backlog", "counting the backlog", admission.watch),
            Watcher("notices", "listening to Postgres", database.notices.watch),
            Watcher("summaries", "reading the newest summaries", cache.watch),
        ),
        loops=(metrics.watch, broadcast.watch, *([tokens.watch] if tokens else [])),
        expected=(StoreError, QueueUnavailableError),
        outages=(StoreUnavailableError, QueueUnavailableError),
    )
    metrics.follow(watched)
    tracer = Tracer("api", settings.otlp_endpoint, ratio=settings.trace_ratio)
    services = Services(
        configured,
        database,
        publisher,
        Dispatcher(publisher, tracer),
        inspector,
        depths,
        circuits,
        BegunJobs(settings.redis_url, breaker=breaker),
        CircuitCache(circuits, configured.sources),
        admission,
        cache,
        broadcast,
        Transfers(peers, metrics),
        watched,
        supervisor,
        metrics,
        tracer,
        Addresses(settings.root_path, settings.log_link, settings.trace_link),
    )
    strict = Router(
        "/",
        before_request=_check,
        route_handlers=[
            newest.newest,
            refresh.refresh,
            *jobs.HANDLERS,
            *summaries.HANDLERS,
            dead_letters.index,
            queues.index,
            sources.index,
            events.stream,
        ],
    )
    operations = Router(
        "/",
        before_request=negotiation.negotiate,
        route_handlers=[strict, *health.HANDLERS, scrape],
    )
    litestar = Litestar(
        [
            operations,
            *docs.HANDLERS,
            dashboard.router(),
            *session.HANDLERS,
        ],
        dependencies={"services": Provide(lambda: services, sync_to_thread=False)},
        lifespan=[lambda _: services.running()],
        exception_handlers=problems.HANDLERS,
        openapi_config=docs.config(settings.root_path),
        # By default these three come from the environment, or replace the logging of the process.
        debug=False,
        pdb_on_exception=False,
        logging_config=None,
    )
    compressed = Compression(cast("Any", litestar))
    asgi = Access(
        newest.FromMemory(compressed, cache, configured.default),
        tokens,
        Hosts(f"{settings.host},{settings.allowed_hosts}", settings.cors_origins),
        RateLimit(settings.rate_limit, settings.rate_burst),
        metrics,
    )
    served = cors.allow(Limits(asgi, metrics), settings.cors_origins)
    served = root_path.under(served, settings.root_path)
    served = proxies.trust(served, settings.trusted_proxies)
    connections = Connections(
        metrics,
        peers,
        maximum=settings.max_connections,
        per_peer=settings.max_connections_per_peer,
    )
    return Api(served, litestar, watched, supervisor, broadcast.close, connections)
