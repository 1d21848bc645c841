"""The metrics of the fetch worker."""

from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Final

from prometheus_client import Counter, Histogram

from mousetrap.geo.report import Report
from mousetrap.queue.metrics import ConsumerMetrics
from mousetrap.telemetry.metrics import LONG_SECONDS, Metrics

TAKEN: Final = "taken"
"""The result of a fetch that gave a batch; any other is the code of the failure."""


class FetchMetrics(Metrics):
    """The metrics of the fetch worker."""

    def __init__(self) -> None:
        super().__init__()
        self.messages = ConsumerMetrics(self.registry)
        fetches = Histogram(
            "mousetrap_fetch_seconds",
            "How long a source was asked for a batch; the result is `taken`, or the code of the"
            " failure.",
            ["source", "result"],
            buckets=LONG_SECONDS,
            registry=self.registry,
        )
        # Looking up a series costs prometheus_client more than adding to it.
        self.fetches = cache(fetches.labels)
        self._pages = self._by_source(
            "mousetrap_fetch_pages_total", "Answers of sources that batches were read from."
        )
        self._bytes = self._by_source(
            "mousetrap_fetch_bytes_total", "Bytes of these answers, decompressed."
        )
        self._skipped = self._by_source(
            "mousetrap_fetch_features_skipped_total", "Features that were left out of batches."
        )
        self._warnings = self._by_source(
            "mousetrap_fetch_warnings_total",
            "Warnings about batches, such as that no point has a name.",
        )

    def taken(self, source: str, report: Report) -> None:
        """Count how a batch came about; one that had not changed counts only once."""
        if report.status == HTTPStatus.NOT_MODIFIED:
            return
        counts = (
            (self._pages, report.pages),
            (self._bytes, report.bytes),
            (self._skipped, report.skipped.count),
            (self._warnings, len(report.warnings)),
        )
        for series, count in counts:
            if count:
                series(source).inc(count)

    def _by_source(self, name: str, help_: str) -> Callable[[str], Counter]:
        return cache(Counter(name, help_, ["source"], registry=self.registry).labels)
