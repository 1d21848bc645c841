"""The metrics of the fetch worker."""

from functools import cache
from typing import Final

from prometheus_client import Histogram

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
