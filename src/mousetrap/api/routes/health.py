"""`GET /health/live` and `GET /health/ready`, for orchestrators."""

from litestar import get

from mousetrap.api.http.errors import InternalError, NotReadyError
from mousetrap.api.http.problems import responses
from mousetrap.api.schema.health import Alive, Ready
from mousetrap.api.services import Injected


@get(
    "/health/live",
    summary="Liveness",
    response_description="The process runs",
    operation_id="live",
    tags=["health"],
    responses=responses(InternalError),
)
async def live() -> Alive:
    """Answer that the process runs."""
    return Alive()


@get(
    "/health/ready",
    summary="Readiness",
    description="Ready when each dependency answers and each loop of the process works; not ready"
    " once the process is stopping.",
    response_description="The process is ready",
    operation_id="ready",
    tags=["health"],
    responses=responses(NotReadyError, InternalError),
)
async def ready(services: Injected) -> Ready:
    """Answer from the latest checks, without running any."""
    report = services.health.report()
    if not services.health.ready:
        raise NotReadyError(checks=report)
    return Ready(checks=report)


HANDLERS = (live, ready)
