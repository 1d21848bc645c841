"""`GET /sources`."""

from litestar import get

from mousetrap.api.http.problems import COMMON, responses
from mousetrap.api.schema.source import SourceList, SourceStatus
from mousetrap.api.services import Injected


@get(
    "/sources",
    summary="The configured sources",
    description="Every source with its newest summary, by name.",
    response_description="All sources",
    operation_id="list_sources",
    tags=["sources"],
    responses=responses(*COMMON),
)
async def index(services: Injected) -> SourceList:
    """Answer with all sources."""
    configured = services.sources
    newest = await services.cache.of_all()
    return SourceList(
        [
            SourceStatus(
                name=name,
                kind=source.kind,
                default=name == configured.default,
                every=source.every,
                newest=newest[name].summary,
            )
            for name, source in sorted(configured.sources.items())
        ]
    )
