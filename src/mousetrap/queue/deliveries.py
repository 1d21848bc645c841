"""What a worker is handed."""

from uuid import UUID

from taskiq import AckableMessage

from mousetrap.queue.envelope import job_in


class Delivery(AckableMessage):
    """An entry of a stream that was handed to this worker, for the `deliveries`-th time in all.

    `data` is the message; for an entry without one, the text of all its `fields`. It is in hand
    `since` then, by time.perf_counter().
    """

    id: str
    fields: dict[bytes, bytes]
    deliveries: int
    since: float

    @property
    def job_id(self) -> UUID | None:
        """The job that the message is about, if that much of it can be read."""
        return job_in(self.data)
