"""`GET /sources`."""

from litestar import get

from mousetrap.api.http.problems import COMMON, responses
from mousetrap.api.schema.source import CircuitStatus, SourceList, SourceStatus
from mousetrap.api.services import Injected


@get(
    "/sources",
    summary="The configured sources",
    description="Every source with its circuit breaker and its newest summary, by name.",
    response_description="All sources",
    operation_id="list_sources",
    tags=["sources"],
    responses=responses(*COMMON),
)
async def index(services: Injected) -> SourceList:
    """Answer with all sources."""
    configured = services.sources
    newest = await services.cache.of_all()
    circuits = await services.circuits.current()
    return SourceList(
        [
            SourceStatus(
                name=name,
                kind=source.kind,
                default=name == configured.default,
                every=source.every,
                circuit=None if circuits is None else CircuitStatus.of(circuits.get(name)),
                newest=newest[name].summary,
            )
            for name, source in sorted(configured.sources.items())
        ]
    )
