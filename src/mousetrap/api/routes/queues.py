"""`GET /queues`."""

from litestar import get

from mousetrap.api.http.errors import UnavailableError
from mousetrap.api.http.problems import COMMON, responses
from mousetrap.api.schema.queue import QueueList, QueueStatus
from mousetrap.api.services import Injected
from mousetrap.queue.errors import QueueUnavailableError


@get(
    "/queues",
    summary="The depths of the queues",
    description="The messages between the processes, and the workers that read them, measured at"
    " most once a second. A worker counts if it was active within 5 s, or within half of"
    " `MOUSETRAP_LEASE` if that is longer.",
    response_description="All queues",
    operation_id="list_queues",
    tags=["jobs"],
    responses=responses(*COMMON),
)
async def index(services: Injected) -> QueueList:
    """Answer with all queues."""
    try:
        depths = await services.depths.current()
    except QueueUnavailableError:
        raise UnavailableError(
            "The queue cannot be reached at the moment; jobs are still accepted: try again."
        ) from None
    return QueueList(
        [QueueStatus(depth.name, depth.messages, depth.oldest, depth.workers) for depth in depths]
    )
