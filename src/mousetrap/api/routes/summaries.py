"""`GET /summaries`, `GET /summaries/{job_id}` and its points."""

from collections.abc import AsyncIterator, Sequence
from operator import attrgetter
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import PathParameter
from litestar.response import Stream
from litestar.types import ASGIApp, Receive, Scope, Send

from mousetrap.api.http import etags, negotiation, paging
from mousetrap.api.http.errors import (
    InvalidCursorError,
    NoChangesError,
    NotAcceptableError,
    NothingHereError,
    UnknownSourceError,
    UnknownSummaryError,
)
from mousetrap.api.http.etags import ETAG, IMMUTABLE, NOT_MODIFIED, REVALIDATE, IfNoneMatch
from mousetrap.api.http.negotiation import GEOJSON, JSON, VARY
from mousetrap.api.http.problems import COMMON, responses
from mousetrap.api.http.transfers import Transfers
from mousetrap.api.openapi.examples import CSV_EXAMPLE, SEQUENCE_EXAMPLE
from mousetrap.api.openapi.operations import operation
from mousetrap.api.schema.details import ChangeList, Changes
from mousetrap.api.schema.geojson import FeatureCollection, SummaryCollection, SummaryFeature
from mousetrap.api.schema.summary import Summary, SummaryPage
from mousetrap.api.services import Injected
from mousetrap.geo.changes import MAX_IDS
from mousetrap.store import batches
from mousetrap.store.errors import EarlierBatchError
from mousetrap.store.formats import Format
from mousetrap.store.geojson import FeatureSequence
from mousetrap.store.summaries import StoredSummary
from mousetrap.store.table import Table

JobId = Annotated[UUID, PathParameter(description="the id of the summary's job")]

_read = msgspec.json.Decoder(Summary).decode
_read_counts = msgspec.json.Decoder(Changes).decode
_read_ids = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
SEQUENCE = "application/geo+json-seq"
CSV = "text/csv"
CSV_HEAD = "text/csv; charset=utf-8; header=present"
FORMATS: dict[str, tuple[str, Format]] = {
    GEOJSON: (GEOJSON, batches.GEOJSON),
    JSON: (JSON, batches.GEOJSON),
    SEQUENCE: (SEQUENCE, FeatureSequence()),
    CSV: (CSV_HEAD, Table()),
}
"""The content type and the format of points by the media type that a caller accepts."""

POINTS = {
    200: ResponseSpec(
        FeatureCollection, description="The batch", media_type=GEOJSON, generate_examples=False
    )
}


class PointStream(Stream):
    """A large batch, piece by piece; it is one of the transfers while it is sent."""

    def __init__(self, pieces: AsyncIterator[bytes], transfers: Transfers, **more: Any) -> None:
        super().__init__(pieces, **more)
        self._transfers = transfers

    def to_asgi_response(self, *args: Any, **more: Any) -> ASGIApp:  # type: ignore[override]
        """Return the ASGI application that sends the batch; it raises OverloadedError."""
        answer = super().to_asgi_response(*args, **more)

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            with self._transfers.under_way(cast("Any", scope)):
                await answer(scope, receive, send)

        return serve


@get(
    "/summaries",
    summary="All summaries, newest first",
    description="A page of the history, in the order of the requests, the newest first,"
    " in JSON or, with `Accept: application/geo+json`, as a FeatureCollection of centroids.",
    response_description="A page of summaries",
    operation_id="list_summaries",
    tags=["summaries"],
    operation_class=operation(offers={GEOJSON: SummaryCollection}),
    responses=NOT_MODIFIED | responses(InvalidCursorError, UnknownSourceError, *COMMON),
    response_headers=[ETAG, paging.LINK],
)
async def index(  # noqa: PLR0913, PLR0917 - one for each query parameter
    request: Request[Any, Any, Any],
    services: Injected,
    source: paging.SourceFilter = None,
    since: paging.Since = None,
    until: paging.Until = None,
    cursor: Annotated[str | None, paging.cursor("summaries")] = None,
    limit: paging.Limit = 20,
    if_none_match: IfNoneMatch = None,
) -> Response[SummaryPage]:
    """Answer with one page of summaries."""
    media_type = negotiation.chosen(request)
    services.check_possible(source)
    before = paging.decode("summaries", cursor)
    rows = await services.database.summaries.page(
        source=source,
        since=paging.instant("since", since),
        until=paging.instant("until", until),
        before=before,
        limit=limit + 1,
    )
    if not rows and before is None:
        await services.check_listed(source)
    page, following = paging.cut(rows, limit, "summaries", attrgetter("sequence"))
    services.cache.observe_summaries(page)
    body = (
        SummaryCollection([_feature(stored) for stored in page], following)
        if media_type == GEOJSON
        else {"items": [msgspec.Raw(stored.document) for stored in page], "next": following}
    )
    content = msgspec.json.encode(body)
    headers = REVALIDATE | VARY | paging.links(request, following)
    etag = _tag(page, media_type, content)
    return etags.respond(content, if_none_match, media_type=media_type, headers=headers, etag=etag)


@get(
    "/summaries/{job_id:uuid}",
    summary="The summary of a job",
    description="In JSON or, with `Accept: application/geo+json`, as a Feature: the centroid, with"
    " the box as its `bbox` and the rest as its properties.",
    response_description="The summary",
    operation_id="get_summary",
    tags=["summaries"],
    operation_class=operation(offers={GEOJSON: SummaryFeature}),
    responses=NOT_MODIFIED | responses(UnknownSummaryError, NothingHereError, *COMMON),
    response_headers=[ETAG],
)
async def show(
    request: Request[Any, Any, Any],
    services: Injected,
    job_id: JobId,
    if_none_match: IfNoneMatch = None,
) -> Response[Summary]:
    """Answer with one summary."""
    media_type = negotiation.chosen(request)
    stored = await services.database.summaries.find(job_id)
    if stored is None:
        raise _unknown(job_id)
    services.cache.observe_summaries([stored])
    body = msgspec.json.encode(_feature(stored)) if media_type == GEOJSON else stored.document
    return etags.respond(body, if_none_match, media_type=media_type, headers=IMMUTABLE | VARY)


@get(
    "/summaries/{job_id:uuid}/points",
    summary="The batch of a job",
    description="The points in the order of the source, each with its name, and with its id, group"
    " and value where the source asks for them: as a FeatureCollection (RFC 7946) or, by the header"
    " `Accept`, as a sequence of features (`application/geo+json-seq`, RFC 8142) or as a table"
    " (`text/csv`, RFC 4180, in UTF-8 with a line of names). A table holds texts as the source has"
    " them: import it into a spreadsheet as text, since one that begins with `=` would be taken for"
    " a formula.",
    operation_id="get_points",
    tags=["summaries"],
    media_type=GEOJSON,
    operation_class=operation(
        offers={JSON: FeatureCollection, SEQUENCE: SEQUENCE_EXAMPLE, CSV: CSV_EXAMPLE}
    ),
    responses=POINTS | NOT_MODIFIED | responses(UnknownSummaryError, NothingHereError, *COMMON),
    response_headers=[ETAG],
)
async def points(
    request: Request[Any, Any, Any],
    services: Injected,
    job_id: JobId,
    if_none_match: IfNoneMatch = None,
) -> Response[Any]:
    """Answer with the points, a large batch piece by piece; a batch is immutable."""
    accepted = negotiation.chosen(request)
    media_type, form = FORMATS[accepted]
    etag = f'W/"{job_id}-{accepted.rpartition("/")[2]}"'
    # A stream has the type of its handler unless a header says otherwise.
    headers = {"Content-Type": media_type, "ETag": etag, **IMMUTABLE, **VARY}
    if etags.matches(if_none_match, etag) and await services.database.summaries.find(job_id):
        return etags.not_modified(etag, IMMUTABLE | VARY)
    pieces = services.database.summaries.points(job_id, form)
    try:
        first = await anext(pieces, None)
    except EarlierBatchError as error:
        raise NotAcceptableError(f"{error}: accept {GEOJSON}.", headers=VARY) from None
    if first is None:
        raise _unknown(job_id)
    second = await anext(pieces, None)
    if second is None:
        return Response(first, headers=headers)
    return PointStream(_all(first, second, pieces), services.transfers, headers=headers)


@get(
    "/summaries/{job_id:uuid}/changes",
    summary="What changed with a summary",
    description=f"The ids of the features that are new or gone since the summary before, at most"
    f" {MAX_IDS} of each; a source needs `changes = true` for it.",
    response_description="The features that are new, and those that are gone",
    operation_id="get_changes",
    tags=["summaries"],
    responses=NOT_MODIFIED
    | responses(UnknownSummaryError, NoChangesError, NothingHereError, *COMMON),
    response_headers=[ETAG],
)
async def changes(
    services: Injected, job_id: JobId, if_none_match: IfNoneMatch = None
) -> Response[ChangeList]:
    """Answer with the ids of what changed; they are immutable."""
    found = await services.database.changes.lists(job_id)
    if found is None:
        raise _unknown(job_id)
    listed, counted = found
    if listed is None or counted is None:
        raise NoChangesError
    ids, counts = _read_ids(listed), _read_counts(counted)
    body = {
        "since": counts.since,
        "new": {"count": counts.new, "ids": ids["new"]},
        "gone": {"count": counts.gone, "ids": ids["gone"]},
    }
    content = msgspec.json.encode(body)
    return etags.respond(content, if_none_match, media_type=JSON, headers=IMMUTABLE)


HANDLERS = (index, show, points, changes)


async def _all(first: bytes, second: bytes, others: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    yield second
    async for piece in others:
        yield piece


def _feature(stored: StoredSummary) -> SummaryFeature:
    return SummaryFeature.of(_read(stored.document))


def _tag(page: Sequence[StoredSummary], media_type: str, content: bytes) -> str:
    """Return the tag of a page.

    Documents are immutable, so their ids stand for them. The size tells apart versions of this
    program that show them differently. Hashing the page takes longer than reading it.
    """
    ids = b"".join(stored.job_id.bytes for stored in page)
    return etags.tag(f"{media_type} {len(content)} ".encode() + ids)


def _unknown(job_id: UUID) -> UnknownSummaryError:
    return UnknownSummaryError(
        f"Job {job_id} has no summary: GET /jobs/{job_id} shows whether it will have one."
    )
