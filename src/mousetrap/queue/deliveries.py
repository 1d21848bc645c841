"""Deliveries of messages to a worker."""

from dataclasses import dataclass
from uuid import UUID

from mousetrap.queue.envelope import attempt_in, job_in


@dataclass(slots=True)  # not frozen: it is created for every message
class Delivery:
    """An entry of a stream, delivered to this worker for the `deliveries`-th time in all.

    `data` is the message; for an entry that has none, the text of all its fields. It is in hand
    `since` then, by time.perf_counter(). A `parked` one waits for its turn, and its delivery is not
    `counted` once that has taken as long as a renewal of its lease.
    """

    id: str
    data: bytes
    has_data: bool
    deliveries: int
    since: float
    parked: bool = False
    counted: bool = True

    @property
    def job_id(self) -> UUID | None:
        """The job of the message, if it is readable."""
        return job_in(self.data)

    @property
    def attempt(self) -> int:
        """The attempt that the message is of."""
        return attempt_in(self.data)
