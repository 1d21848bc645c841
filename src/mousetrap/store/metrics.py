"""Metrics of the connections to Postgres."""

from prometheus_client import CollectorRegistry, Gauge

from mousetrap.store.database import Database


class PoolMetrics:
    """Reports the use of a database's pool at each scrape."""

    def __init__(self, database: Database, registry: CollectorRegistry) -> None:
        connections = Gauge(
            "mousetrap_pool_connections",
            "Connections to Postgres that are open, in use or idle.",
            ["state"],
            registry=registry,
        )
        connections.labels("in-use").set_function(lambda: database.usage().in_use)
        connections.labels("idle").set_function(lambda: database.usage().idle)
        Gauge(
            "mousetrap_pool_waiting",
            "Calls that wait for a connection to Postgres.",
            registry=registry,
        ).set_function(lambda: database.usage().waiting)
        Gauge(
            "mousetrap_pool_limit",
            "The most connections to Postgres of this process (MOUSETRAP_POOL_SIZE).",
            registry=registry,
        ).set_function(lambda: database.usage().limit)
