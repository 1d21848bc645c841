"""The metrics of the process worker."""

from datetime import datetime, timedelta
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from mousetrap.messages.schema import BatchFetched, LargeBatchFetched
from mousetrap.queue.metrics import ConsumerMetrics
from mousetrap.telemetry.metrics import LONG_SECONDS, Metrics


class ProcessMetrics(Metrics):
    """The metrics of the process worker."""

    def __init__(self) -> None:
        super().__init__()
        self.messages = ConsumerMetrics(self.registry)
        stages = Histogram(
            "mousetrap_job_stage_seconds",
            "How long jobs that succeeded took: `fetch` is from the request to the batch, `process`"
            " from the batch to the stored summary, `total` both.",
            ["stage"],
            buckets=LONG_SECONDS,
            registry=self.registry,
        )
        self._stages = {stage: stages.labels(stage) for stage in ("fetch", "process", "total")}
        attempts = Counter(
            "mousetrap_attempts_total",
            "Outcomes of attempts: the job `succeeded`, `failed`, or `waits` for another attempt;"
            " or it was `late` and changed nothing.",
            ["result"],
            registry=self.registry,
        )
        # Looking up a series costs prometheus_client more than adding to it.
        self.attempts = cache(attempts.labels)
        self.sent_again = Counter(
            "mousetrap_reconciler_jobs_sent_total",
            "Jobs that were sent again, after a failure or because their message was lost.",
            registry=self.registry,
        )
        self.lost = Counter(
            "mousetrap_reconciler_messages_lost_total",
            "Attempts whose message was in no queue any more.",
            registry=self.registry,
        )
        self.pulled_in = Counter(
            "mousetrap_reconciler_jobs_pulled_in_total",
            "Jobs and follow-ups that waited longer than their attempt may, for the clock of"
            " Postgres was set meanwhile.",
            registry=self.registry,
        )
        self.follow_ups = Gauge(
            "mousetrap_follow_ups",
            "Summaries that a stage still has to follow up (`queued`), or could not (`failed`);"
            " counted up to 10,000.",
            ["stage", "state"],
            registry=self.registry,
        )
        self.reconciled = Gauge(
            "mousetrap_reconciler_last_success_timestamp_seconds",
            "When the reconciler last finished a round, in seconds since 1970.",
            registry=self.registry,
        )
        self.scheduled = Counter(
            "mousetrap_jobs_scheduled_total",
            "Jobs that the schedule of their source asked for.",
            ["source"],
            registry=self.registry,
        )
        self.dead_letters = Counter(
            "mousetrap_dead_letters_stored_total",
            "Messages given up by the workers of any queue, stored for people to look at.",
            registry=self.registry,
        )
        self.deleted = Counter(
            "mousetrap_rows_deleted_total",
            "Rows deleted because of their age.",
            registry=self.registry,
        )

    def succeeded(self, batch: BatchFetched | LargeBatchFetched, stored_at: datetime) -> None:
        """Observe the stages of a job. The clocks of its processes may differ a little."""
        self._took("process", stored_at - batch.fetched_at)
        if batch.requested_at is not None:
            self._took("fetch", batch.fetched_at - batch.requested_at)
            self._took("total", stored_at - batch.requested_at)

    def _took(self, stage: str, time: timedelta) -> None:
        self._stages[stage].observe(max(0.0, time.total_seconds()))
