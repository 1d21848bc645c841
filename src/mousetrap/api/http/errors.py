"""What the API answers when it cannot do what was asked, each with its stable code."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import ClassVar, Final

from mousetrap.api.schema.problem import Flaw

STOPPING: Final = "The process is about to stop: ask again."
"""The detail of an OverloadedError when it is that."""


class ApiError(Exception):
    """Base of all errors that a caller is told about.

    The message becomes the `detail` of the problem (RFC 9457); without one, the class's docstring.
    `code` never changes: callers act upon it.
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
    """These bytes are not a request of HTTP/1.1."""

    code = "malformed-http"
    status = HTTPStatus.BAD_REQUEST
    title = "Not an HTTP request"


class BadRequestError(ApiError):
    """The request cannot be understood."""

    code = "bad-request"
    status = HTTPStatus.BAD_REQUEST
    title = "Bad request"


class InvalidRequestError(ApiError):
    """A parameter or a field of the body is not what it should be; `errors` says which."""

    code = "invalid-request"
    status = HTTPStatus.BAD_REQUEST
    title = "Invalid request"


class MalformedBodyError(ApiError):
    """The body is not JSON in UTF-8."""

    code = "malformed-body"
    status = HTTPStatus.BAD_REQUEST
    title = "Malformed body"


class IncompleteBodyError(ApiError):
    """The connection was closed before the whole body had come."""

    code = "incomplete-body"
    status = HTTPStatus.BAD_REQUEST
    title = "Incomplete body"


class InvalidCursorError(ApiError):
    """The cursor was not given out for this list: take `next` of the page before, or none."""

    code = "invalid-cursor"
    status = HTTPStatus.BAD_REQUEST
    title = "Invalid cursor"


class NothingHereError(ApiError):
    """There is nothing at this path: see /docs."""

    code = "not-found"
    status = HTTPStatus.NOT_FOUND
    title = "Not found"


class UnknownSourceError(ApiError):
    """There is no source of this name: GET /sources lists them."""

    code = "unknown-source"
    status = HTTPStatus.NOT_FOUND
    title = "Unknown source"


class UnknownJobError(ApiError):
    """There is no job of this id: POST /refresh answers with one."""

    code = "unknown-job"
    status = HTTPStatus.NOT_FOUND
    title = "Unknown job"


class UnknownSummaryError(ApiError):
    """The job has no summary: GET /jobs/{job_id} tells whether it will have one."""

    code = "unknown-summary"
    status = HTTPStatus.NOT_FOUND
    title = "Unknown summary"


class NotFailedError(ApiError):
    """Only a job that has failed can be retried: GET /jobs/{job_id} tells how far this one is."""

    code = "not-failed"
    status = HTTPStatus.CONFLICT
    title = "Job has not failed"


class MethodNotAllowedError(ApiError):
    """The path does not take this method: the header Allow lists those that it takes."""

    code = "method-not-allowed"
    status = HTTPStatus.METHOD_NOT_ALLOWED
    title = "Method not allowed"


class NotAcceptableError(ApiError):
    """The answer is not to be had in what Accept asks for: take JSON or application/geo+json."""

    code = "not-acceptable"
    status = HTTPStatus.NOT_ACCEPTABLE
    title = "Not acceptable"


class SlowRequestError(ApiError):
    """The body did not come in time: send it in one go."""

    code = "slow-request"
    status = HTTPStatus.REQUEST_TIMEOUT
    title = "Request took too long"


class BodyTooLargeError(ApiError):
    """The body is larger than any that this API needs: 16 KiB are the limit."""

    code = "body-too-large"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "Body too large"


class UnsupportedMediaTypeError(ApiError):
    """The body must be JSON: send it with `Content-Type: application/json`."""

    code = "unsupported-media-type"
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    title = "Unsupported media type"


class IdempotencyConflictError(ApiError):
    """The Idempotency-Key was used for another source: take a new key."""

    code = "idempotency-conflict"
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Idempotency key already used"


class HeadTooLargeError(ApiError):
    """The request's first line and headers are larger than 32 KiB together."""

    code = "head-too-large"
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    title = "Headers too large"


class InternalError(ApiError):
    """Our fault: the log tells what happened, under the X-Request-ID of this answer."""

    code = "internal-error"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    title = "Internal error"


class RetryLaterError(ApiError):
    """Base of what passes by itself: the header Retry-After says when to ask again."""

    seconds: ClassVar[int] = 2

    def __init__(self, detail: str = "", *, checks: Mapping[str, str] | None = None) -> None:
        super().__init__(detail, headers={"Retry-After": str(self.seconds)}, checks=checks)


class UnavailableError(RetryLaterError):
    """The database cannot be reached at the moment; nothing was changed. Ask again."""

    code = "unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Unavailable"


class NotReadyError(RetryLaterError):
    """The process cannot do its work at the moment; `checks` says what is missing."""

    code = "not-ready"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Not ready"


class BacklogFullError(RetryLaterError):
    """So many jobs are waiting that no further one is accepted; nothing was changed. Ask again."""

    code = "backlog-full"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Backlog full"
    seconds = 5


class OverloadedError(RetryLaterError):
    """The process has too many requests in hand; this one was not looked at. Ask again."""

    code = "overloaded"
    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Overloaded"
    seconds = 1
