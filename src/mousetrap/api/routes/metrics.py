"""`GET /metrics`, for Prometheus."""

from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from mousetrap.api.http.errors import InternalError, NotAcceptableError
from mousetrap.api.http.problems import ACCESS, responses
from mousetrap.api.openapi.examples import METRICS
from mousetrap.api.services import Injected
from mousetrap.queue.errors import QueueUnavailableError
from mousetrap.telemetry.metrics import CONTENT_TYPE, PATH


@get(
    PATH,
    summary="Metrics of this process and of the queues",
    description="In the text format of Prometheus; `docs/telemetry.md` lists all of them.",
    operation_id="metrics",
    tags=["health"],
    media_type=CONTENT_TYPE,
    responses={
        200: ResponseSpec(
            str,
            description="All values",
            media_type=CONTENT_TYPE,
            generate_examples=False,
            examples=[Example(id="part", value=METRICS)],
        )
    }
    | responses(NotAcceptableError, *ACCESS, InternalError),
)
async def scrape(services: Injected) -> Response[bytes]:
    """Answer with all values, except those of queues and circuits during an outage of Redis."""
    try:
        depths = await services.depths.current()
    except QueueUnavailableError:
        depths = ()
    services.metrics.measured(depths)
    services.metrics.probed(await services.circuits.probed())
    # Litestar would append the charset a second time.
    return Response(services.metrics.render(), headers={"content-type": CONTENT_TYPE})
