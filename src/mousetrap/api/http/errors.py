"""The errors of the API, each with a stable code."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar, Final
from uuid import UUID

from mousetrap.api.schema.problem import Flaw

STOPPING: Final = "The process is stopping: try again."
"""The detail of an OverloadedError during shutdown."""


class ApiError(Exception):
    """Base of all errors that a caller sees.

    The message becomes the `detail` of the problem (RFC 9457); it defaults to the docstring of the
    class. `code` never changes, because callers rely on it.
    """

    code: ClassVar[str]
    status: ClassVar[HTTPStatus]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        flaws: tuple[Flaw, ...] = (),
        checks: Mapping[str, str] | None = None,
    ) -> None:
        self.detail = detail or type(self).__doc__ or self.title
        self.headers = dict(headers or {})
        self.flaws = flaws
        self.checks = checks
        super().__init__(self.detail)


class MalformedHttpError(ApiError):
    """The bytes are not an HTTP/1.1 request."""

    code = "malformed-http"
    status = HTTPStatus.BAD_REQUEST
    title = "Not an HTTP request"


class BadRequestError(ApiError):
    """The request cannot be understood."""

    code = "bad-request"
    status = HTTPStatus.BAD_REQUEST
    title = "Bad request"


class InvalidRequestError(ApiError):
    """A parameter or a field of the body is invalid: see `errors`."""

    code = "invalid-request"
    status = HTTPStatus.BAD_REQUEST
    title = "Invalid request"


class MalformedBodyError(ApiError):
    """The body is not JSON in UTF-8."""

    code = "malformed-body"
    status = HTTPStatus.BAD_REQUEST
    title = "Malformed body"


class IncompleteBodyError(ApiError):
    """The connection was closed before the whole body arrived."""

    code = "incomplete-body"
    status = HTTPStatus.BAD_REQUEST
    title = "Incomplete body"


class InvalidCursorError(ApiError):
    """The cursor does not belong to this list: use `next` of the previous page, or omit it."""

    code = "invalid-cursor"
    status = HTTPStatus.BAD_REQUEST
    title = "Invalid cursor"


class UnauthenticatedError(ApiError):
    """The request needs a token: send it with `Authorization: Bearer TOKEN`."""

    code = "unauthenticated"
    status = HTTPStatus.UNAUTHORIZED
    title = "Not authenticated"

    def __init__(self, detail: str = "", *, error: str = "") -> None:
        """`error` is a code of RFC 6750 section 3.1, for a request that has a token."""
        super().__init__(detail, headers=_challenge(error))


class ForbiddenError(ApiError):
    """The token lacks the scope that the request needs: ask the operator for another token."""

    code = "forbidden"
    status = HTTPStatus.FORBIDDEN
    title = "Forbidden"

    def __init__(self, detail: str = "", *, scope: str = "") -> None:
        super().__init__(detail, headers=_challenge("insufficient_scope", scope))


class ForeignOriginError(ApiError):
    """A page of another origin may not change anything: MOUSETRAP_CORS_ORIGINS allows origins."""

    code = "foreign-origin"
    status = HTTPStatus.FORBIDDEN
    title = "Foreign origin"


class NothingHereError(ApiError):
    """There is nothing at this path: see /docs."""

    code = "not-found"
    status = HTTPStatus.NOT_FOUND
    title = "Not found"


class UnknownSourceError(ApiError):
    """There is no source with this name: GET /sources lists them."""

    code = "unknown-source"
    status = HTTPStatus.NOT_FOUND
    title = "Unknown source"


class UnknownJobError(ApiError):
    """There is no job with this id: POST /refresh returns one."""

    code = "unknown-job"
    status = HTTPStatus.NOT_FOUND
    title = "Unknown job"


class UnknownSummaryError(ApiError):
    """The job has no summary: GET /jobs/{job_id} shows whether it will have one."""

    code = "unknown-summary"
    status = HTTPStatus.NOT_FOUND
    title = "Unknown summary"


class NoChangesError(ApiError):
    """No changes are known: set `changes = true` for a source with ids, and fetch it twice."""

    code = "no-changes"
    status = HTTPStatus.NOT_FOUND
    title = "No changes known"


class NotFailedError(ApiError):
    """Only a failed job can be retried: GET /jobs/{job_id} shows the state of this one."""

    code = "not-failed"
    status = HTTPStatus.CONFLICT
    title = "Job has not failed"


class TooManyRetriesError(ApiError):
    """The job was retried too often: correct what fails, then POST /refresh for another job."""

    code = "too-many-retries"
    status = HTTPStatus.CONFLICT
    title = "Too many retries"


class MethodNotAllowedError(ApiError):
    """The path does not support this method: the header Allow lists those that it supports."""

    code = "method-not-allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED
    title = "Method not allowed"


class NotAcceptableError(ApiError):
    """No media type in Accept is available: accept one that the operation offers."""

    code = "not-acceptable"
    status = HTTPStatus.NOT_ACCEPTABLE
    title = "Not acceptable"


class SlowRequestError(ApiError):
    """The body did not arrive in time: send it in one go."""

    code = "slow-request"
    status = HTTPStatus.REQUEST_TIMEOUT
    title = "Request took too long"


class BodyTooLargeError(ApiError):
    """The body is too large: the limit is 16 KiB."""

    code = "body-too-large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "Body too large"


class UnsupportedMediaTypeError(ApiError):
    """The body must be JSON: send it with `Content-Type: application/json`."""

    code = "unsupported-media-type"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    title = "Unsupported media type"


class UnknownHostError(ApiError):
    """The API has another name: MOUSETRAP_ALLOWED_HOSTS allows names in the header Host."""

    code = "unknown-host"
    status = HTTPStatus.MISDIRECTED_REQUEST
    title = "Unknown host"


class IdempotencyConflictError(ApiError):
    """The Idempotency-Key was used for another source: use a new key."""

    code = "idempotency-conflict"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Idempotency key already used"


class HeadTooLargeError(ApiError):
    """The request line and headers are too large: the limit is 32 KiB."""

    code = "head-too-large"
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    title = "Headers too large"


class InternalError(ApiError):
    """The server failed: its log has the error under the X-Request-ID of this answer."""

    code = "internal-error"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    title = "Internal error"


class RetryLaterError(ApiError):
    """Base of temporary errors: the header Retry-After gives the delay before a retry."""

    seconds: ClassVar[int] = 2

    def __init__(self, detail: str = "", *, checks: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": str(self.seconds)}, checks=checks)


class RateLimitedError(RetryLaterError):
    """The caller sends too many requests; this one was not processed: send fewer of them."""

    code = "rate-limited"
    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many requests"

    def __init__(self, detail: str = "", *, seconds: int = 1) -> None:
        super().__init__(detail)
        self.headers["Retry-After"] = str(seconds)


class UnavailableError(RetryLaterError):
    """The database cannot be used at the moment; nothing was changed: try again."""

    code = "unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Unavailable"


class OutcomeUnknownError(RetryLaterError):
    """The database gave no answer: the job may be stored. Repeat with the same Idempotency-Key."""

    code = "outcome-unknown"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Outcome unknown"

    def __init__(self, job_id: UUID | None = None) -> None:
        if job_id is None:
            super().__init__()
            return
        super().__init__(
            f"The database gave no answer: job {job_id} may be stored. GET /jobs/{job_id} tells;"
            " only if there is none, or it is unchanged, repeat the request."
        )
        self.headers["Location"] = f"/jobs/{job_id}"


class NotReadyError(RetryLaterError):
    """The process cannot serve requests at the moment: see `checks`."""

    code = "not-ready"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Not ready"


class BacklogFullError(RetryLaterError):
    """Too many jobs are queued to accept another one; nothing was changed: try again."""

    code = "backlog-full"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Backlog full"
    seconds = 5


class SourceBacklogFullError(RetryLaterError):
    """Too many jobs of this source are queued; nothing was changed: wait for some of them."""

    code = "source-backlog-full"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Backlog of the source full"
    seconds = 5


class OverloadedError(RetryLaterError):
    """Too many requests are in flight; this one was not processed: try again."""

    code = "overloaded"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Overloaded"
    seconds = 1


def _challenge(error: str, scope: str = "") -> dict[str, str]:
    """Return the header of RFC 6750 section 3."""
    parts = {"realm": "mousetrap", "error": error, "scope": scope}
    given = ", ".join(f'{name}="{value}"' for name, value in parts.items() if value)
    return {"WWW-Authenticate": f"Bearer {given}"}
