"""`POST /refresh`: stores a job before it answers, so an accepted job is never lost."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import ResponseHeader
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody
from litestar.params import HeaderParameter
from msgspec import UNSET

from mousetrap.api.http.errors import (
    BacklogFullError,
    BodyTooLargeError,
    ForeignOriginError,
    IdempotencyConflictError,
    InvalidRequestError,
    MalformedBodyError,
    OutcomeUnknownError,
    SlowRequestError,
    SourceBacklogFullError,
    UnknownSourceError,
    UnsupportedMediaTypeError,
)
from mousetrap.api.http.negotiation import JSON
from mousetrap.api.http.problems import COMMON, responses
from mousetrap.api.openapi.operations import reference
from mousetrap.api.schema.job import RefreshAccepted, RefreshRequest
from mousetrap.api.schema.problem import Flaw
from mousetrap.api.services import Injected
from mousetrap.jobs.job import Job
from mousetrap.telemetry import logs

LOCATION = ResponseHeader(name="Location", documentation_only=True)


@dataclass
class RefreshOperation(Operation):
    """Documents the body, which the handler reads without Litestar."""

    def __post_init__(self) -> None:
        self.request_body = RequestBody(
            content={JSON: OpenAPIMediaType(schema=reference(RefreshRequest))},
            description="Optional.",
            required=False,
        )


@post(
    "/refresh",
    status_code=202,
    summary="Request a fresh summary",
    description="Stores a job and answers; the summary follows. With an `Idempotency-Key`, a"
    " repeated request returns the job of the first one, and says `repeated`. Where its source"
    " coalesces, a request joins a job that nobody has begun; the answer then says `coalesced`.",
    response_description="The job is stored",
    operation_id="refresh",
    operation_class=RefreshOperation,
    tags=["jobs"],
    responses=responses(
        MalformedBodyError,
        ForeignOriginError,
        UnknownSourceError,
        SlowRequestError,
        BodyTooLargeError,
        UnsupportedMediaTypeError,
        IdempotencyConflictError,
        BacklogFullError,
        SourceBacklogFullError,
        OutcomeUnknownError,
        *COMMON,
    ),
    response_headers=[LOCATION],
)
async def refresh(
    request: Request[Any, Any, Any],
    services: Injected,
    idempotency_key: Annotated[
        str | None,
        HeaderParameter(
            name="Idempotency-Key",
            min_length=1,
            max_length=255,
            pattern="^[!-~]+$",
            description="chosen by the caller, unique per refresh",
        ),
    ] = None,
) -> Response[RefreshAccepted]:
    """Commit a job, then dispatch it; an outage of the queue is no error."""
    wanted = _read(await request.body(), request.headers.get("content-type", JSON))
    source = services.source(wanted.source)
    key = request.auth.own(idempotency_key)
    submission = await services.submit(source, key)
    job = submission.job
    logs.about(job_id=str(job.id))
    if submission.created:
        await services.dispatch(job, request.headers.get("traceparent"))
    return accepted(job, coalesced=submission.coalesced, repeated=submission.repeated)


def accepted(
    job: Job, *, coalesced: bool = False, repeated: bool = False
) -> Response[RefreshAccepted]:
    """Return the answer to an accepted job."""
    return Response(
        RefreshAccepted(
            job_id=job.id,
            source=job.source,
            coalesced=coalesced or UNSET,
            repeated=repeated or UNSET,
        ),
        media_type=JSON,
        headers={"Location": f"/jobs/{job.id}"},
    )


def _read(body: bytes, content_type: str) -> RefreshRequest:
    if not body:
        return RefreshRequest()
    if content_type.partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaTypeError
    try:
        return msgspec.json.decode(body, type=RefreshRequest)
    except msgspec.ValidationError as error:
        # "Expected `str | null`, got `int` - at `$.source`"
        message, _, path = str(error).partition(" - at ")
        flaw = Flaw(path.strip("`").removeprefix("$").lstrip(".") or "body", "body", message)
        raise InvalidRequestError(flaws=(flaw,)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBodyError(f"The body is not JSON in UTF-8: {error}") from None
