"""`GET /health/live` and `GET /health/ready`, for orchestrators."""

from litestar import get

from mousetrap.api.http.errors import InternalError, NotReadyError
from mousetrap.api.http.problems import responses
from mousetrap.api.schema.health import Alive, Ready
from mousetrap.api.services import Injected


@get(
    "/health/live",
    summary="Whether the process runs",
    response_description="It runs",
    operation_id="live",
    tags=["health"],
    responses=responses(InternalError),
)
async def live() -> Alive:
    """Say so."""
    return Alive()


@get(
    "/health/ready",
    summary="Whether the process can do its work",
    description="Whether each dependency answers and each loop of the process works. Not ready once"
    " the process is told to stop.",
    response_description="It can",
    operation_id="ready",
    tags=["health"],
    responses=responses(NotReadyError, InternalError),
)
async def ready(services: Injected) -> Ready:
    """Answer from the newest checks: asking costs nothing."""
    report = services.health.report()
    if not services.health.ready:
        raise NotReadyError(checks=report)
    return Ready(checks=report)


HANDLERS = (live, ready)
