"""The metrics of the API."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from mousetrap.queue.inspector import Depth
from mousetrap.telemetry.metrics import SECONDS, Metrics

METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
OTHER: Final = "other"
UNMATCHED: Final = "unmatched"


class ApiMetrics(Metrics):
    """The metrics of the API; no label contains values that callers choose."""

    def __init__(self) -> None:
        super().__init__()
        self._requests = Histogram(
            "mousetrap_http_request_seconds",
            "Seconds from a request to the end of its answer, by the path's template.",
            ["method", "route", "status"],
            buckets=SECONDS,
            registry=self.registry,
        )
        # Looking up a series costs prometheus_client more than observing a value.
        self._series: dict[tuple[str, str, int], Histogram] = {}
        self.in_flight = Gauge(
            "mousetrap_http_requests_in_flight",
            "Requests in flight.",
            registry=self.registry,
        )
        self.connections = Gauge(
            "mousetrap_http_connections",
            "Open connections.",
            registry=self.registry,
        )
        self.connections_refused = Counter(
            "mousetrap_http_connections_refused_total",
            "Connections beyond a limit: total (MOUSETRAP_MAX_CONNECTIONS) or peer"
            " (MOUSETRAP_MAX_CONNECTIONS_PER_PEER).",
            ["limit"],
            registry=self.registry,
        )
        self.connections_aborted = Counter(
            "mousetrap_http_connections_aborted_total",
            "Connections aborted because the peer does not read: stalled, or unsent when too many"
            " bytes of all connections are unsent; overdue when a large answer takes it too long.",
            ["reason"],
            registry=self.registry,
        )
        accepted = Counter(
            "mousetrap_jobs_accepted_total",
            "Jobs accepted from callers, retries included.",
            ["source"],
            registry=self.registry,
        )
        self.accepted = cache(accepted.labels)
        self.coalesced = Counter(
            "mousetrap_refreshes_coalesced_total",
            "Refreshes that joined a job which nobody had begun.",
            ["source"],
            registry=self.registry,
        )
        self.refused = Counter(
            "mousetrap_requests_refused_total",
            "Requests refused by a limit or a check of access, by the code of the problem, such as"
            " backlog-full, overloaded, unauthenticated or rate-limited.",
            ["code"],
            registry=self.registry,
        )
        self.backlog = Gauge(
            "mousetrap_backlog_jobs",
            "Queued jobs, counted up to the limit.",
            registry=self.registry,
        )
        self.backlog_limit = Gauge(
            "mousetrap_backlog_limit_jobs",
            "The number of queued jobs at which further ones are refused"
            " (MOUSETRAP_BACKLOG_LIMIT).",
            registry=self.registry,
        )
        self._messages = Gauge(
            "mousetrap_queue_messages",
            "Messages waiting or in flight; absent while Redis is unavailable.",
            ["queue"],
            registry=self.registry,
        )
        self._oldest = Gauge(
            "mousetrap_queue_oldest_seconds",
            "The age of the oldest message of a queue, 0 when it is empty; absent while Redis is"
            " unavailable.",
            ["queue"],
            registry=self.registry,
        )
        self._workers = Gauge(
            "mousetrap_queue_workers",
            "Active workers of a queue; absent while Redis is unavailable.",
            ["queue"],
            registry=self.registry,
        )
        self._circuits = Gauge(
            "mousetrap_source_circuit_open",
            "1 while a source is only probed, because it keeps failing, else 0; absent while Redis"
            " is unavailable.",
            ["source"],
            registry=self.registry,
        )

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Record a request; `route` is the template of its path, None if no route matches."""
        key = (method, route or UNMATCHED, status)
        series = self._series.get(key)
        if series is None:
            named = method if method in METHODS else OTHER
            series = self._requests.labels(named, route or UNMATCHED, status)
            if named == method:
                self._series[key] = series
        series.observe(seconds)

    def measured(self, depths: Sequence[Depth]) -> None:
        """Set the depths of the queues; empty when they are unknown."""
        for gauge in (self._messages, self._oldest, self._workers):
            gauge.clear()
        for depth in depths:
            self._messages.labels(depth.name).set(depth.messages)
            self._oldest.labels(depth.name).set(depth.oldest or 0)
            self._workers.labels(depth.name).set(depth.workers)

    def probed(self, sources: Mapping[str, bool]) -> None:
        """Set which sources are only probed; empty when that is unknown."""
        self._circuits.clear()
        for source, is_probed in sources.items():
            self._circuits.labels(source).set(is_probed)
