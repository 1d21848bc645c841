"""What the API measures."""

from collections.abc import Sequence
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from mousetrap.queue.inspector import Depth
from mousetrap.telemetry.metrics import SECONDS, Metrics

METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
OTHER: Final = "other"
UNMATCHED: Final = "unmatched"


class ApiMetrics(Metrics):
    """The metrics of the API; what callers make up is not among the labels."""

    def __init__(self) -> None:
        super().__init__()
        self._requests = Histogram(
            "mousetrap_http_request_seconds",
            "How long callers waited for the end of an answer, by the path's template.",
            ["method", "route", "status"],
            buckets=SECONDS,
            registry=self.registry,
        )
        # Looking up labels in the library takes longer than counting.
        self._series: dict[tuple[str, str, int], Histogram] = {}
        self.in_hand = Gauge(
            "mousetrap_http_requests_in_hand",
            "Requests that are worked on now.",
            registry=self.registry,
        )
        self.accepted = Counter(
            "mousetrap_jobs_accepted_total",
            "Jobs that were accepted from a caller, or put back into the queue by one.",
            ["source"],
            registry=self.registry,
        )
        self.refused = Counter(
            "mousetrap_requests_refused_total",
            "Requests that were refused unread, by the code of the problem: backlog-full or"
            " overloaded.",
            ["code"],
            registry=self.registry,
        )
        self.backlog = Gauge(
            "mousetrap_backlog_jobs",
            "Queued jobs, counted no further than the limit.",
            registry=self.registry,
        )
        self.backlog_limit = Gauge(
            "mousetrap_backlog_limit_jobs",
            "Queued jobs from which on no further one is accepted (MOUSETRAP_BACKLOG_LIMIT).",
            registry=self.registry,
        )
        self._messages = Gauge(
            "mousetrap_queue_messages",
            "Messages in a queue that are not done; absent while the queue is away.",
            ["queue"],
            registry=self.registry,
        )
        self._oldest = Gauge(
            "mousetrap_queue_oldest_seconds",
            "How long ago the first message of a queue was sent, 0 when it is empty; absent while"
            " the queue is away.",
            ["queue"],
            registry=self.registry,
        )
        self._workers = Gauge(
            "mousetrap_queue_workers",
            "Workers of a queue that gave a sign of life; absent while the queue is away.",
            ["queue"],
            registry=self.registry,
        )

    def answered(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Take note of a request; `route` is the template of its path, None if it fits none."""
        key = (method, route or UNMATCHED, status)
        series = self._series.get(key)
        if series is None:
            named = method if method in METHODS else OTHER
            series = self._requests.labels(named, route or UNMATCHED, status)
            if named == method:
                self._series[key] = series
        series.observe(seconds)

    def measured(self, depths: Sequence[Depth]) -> None:
        """Show the depths of the queues; none when they are not known."""
        for gauge in (self._messages, self._oldest, self._workers):
            gauge.clear()
        for depth in depths:
            self._messages.labels(depth.name).set(depth.messages)
            self._oldest.labels(depth.name).set(depth.oldest or 0)
            self._workers.labels(depth.name).set(depth.workers)
