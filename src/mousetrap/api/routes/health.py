"""`GET /health/live` and `GET /health/ready`, for orchestrators."""

from typing import Any

from litestar import Request, get

from mousetrap.api.http.errors import (
    InternalError,
    NotAcceptableError,
    NotReadyError,
    UnknownHostError,
)
from mousetrap.api.http.problems import responses
from mousetrap.api.http.scopes import Scope
from mousetrap.api.schema.health import Alive, Ready
from mousetrap.api.services import Injected


@get(
    "/health/live",
    summary="Liveness",
    response_description="The process runs",
    operation_id="live",
    tags=["health"],
    responses=responses(NotAcceptableError, UnknownHostError, InternalError),
)
async def live() -> Alive:
    """Answer that the process runs."""
    return Alive()


@get(
    "/health/ready",
    summary="Readiness",
    description="Ready when each dependency answers and each loop of the process works; not ready"
    " once the process is stopping. A caller with the scope `metrics` is told the reasons.",
    response_description="The process is ready",
    operation_id="ready",
    tags=["health"],
    responses=responses(NotAcceptableError, UnknownHostError, NotReadyError, InternalError),
)
async def ready(request: Request[Any, Any, Any], services: Injected) -> Ready:
    """Answer from the latest checks, without running any; strangers are told no reasons."""
    health, told = services.health, Scope.METRICS in request.auth.scopes
    report = health.report() if told else health.states()
    if not health.ready:
        raise NotReadyError(checks=report)
    return Ready(checks=report)


HANDLERS = (live, ready)
