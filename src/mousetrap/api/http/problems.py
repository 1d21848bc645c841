"""Turns errors of the API, of Litestar and of the store into problems (RFC 9457)."""

import re
from collections.abc import Iterator
from enum import Enum
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, get_args
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.exceptions import ValidationException as ParameterException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import ParameterKwarg
from litestar.types import ExceptionHandlersMap
from msgspec import UNSET

from mousetrap.api.http import errors
from mousetrap.api.http.errors import ApiError
from mousetrap.api.http.scopes import path_of
from mousetrap.api.schema.health import CHECKS
from mousetrap.api.schema.problem import Flaw, Problem
from mousetrap.store.errors import (
    IdempotencyConflictError,
    OutcomeUnknownError,
    StoreUnavailableError,
)
from mousetrap.telemetry import logs

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:mousetrap:problem:"
ACCESS: Final = (
    errors.UnauthenticatedError,
    errors.ForbiddenError,
    errors.UnknownHostError,
    errors.RateLimitedError,
)
"""The errors of every operation that needs a scope."""
COMMON: Final = (
    errors.BadRequestError,
    errors.InvalidRequestError,
    errors.NotAcceptableError,
    *ACCESS,
    errors.UnavailableError,
    errors.OverloadedError,
    errors.InternalError,
)
"""The errors of every operation that needs the database."""

_EXAMPLES: Final[dict[type[ApiError], ApiError]] = {
    errors.InvalidRequestError: errors.InvalidRequestError(
        flaws=(Flaw("limit", "query", "Expected `int` <= 100"),)
    ),
    errors.NotReadyError: errors.NotReadyError(
        checks={**dict.fromkeys(CHECKS, "ok"), "redis": "no answer within 3 s"}
    ),
}

_ID: Final = re.compile(r"/(jobs|summaries)/(?P<id>[^/]{1,64})(/(retry|points|changes))?")

log = logs.logger(__name__)


def problem(error: ApiError) -> Problem:
    """Return the body of an error."""
    return Problem(
        type=TYPE_PREFIX + error.code,
        title=error.title,
        status=error.status,
        detail=error.detail,
        errors=list(error.flaws) or UNSET,
        checks=UNSET if error.checks is None else dict(error.checks),
    )


def encode(error: ApiError) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the headers and the encoded body of an error."""
    body = msgspec.json.encode(problem(error))
    headers = {
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
        **{name.lower(): value for name, value in error.headers.items()},
    }
    return [(name.encode(), value.encode()) for name, value in headers.items()], body


def responses(*kinds: type[ApiError]) -> dict[int, ResponseSpec]:
    """Return the declaration of the errors `kinds` for the OpenAPI document."""
    by_status = attrgetter("status")
    return {
        int(status): _response(*group)
        for status, group in groupby(sorted(kinds, key=by_status), by_status)
    }


def kinds(base: type[ApiError] = ApiError) -> Iterator[type[ApiError]]:
    """Yield every error that a caller may receive."""
    for kind in base.__subclasses__():
        if hasattr(kind, "code"):
            yield kind
        yield from kinds(kind)


def _response(*kinds: type[ApiError]) -> ResponseSpec:
    return ResponseSpec(
        data_container=Problem,
        media_type=MEDIA_TYPE,
        generate_examples=False,
        description="; ".join(kind.title for kind in kinds),
        examples=[Example(id=kind.code, value=_example(kind)) for kind in kinds],
    )


def _example(kind: type[ApiError]) -> dict[str, Any]:
    example: dict[str, Any] = msgspec.to_builtins(problem(_EXAMPLES.get(kind) or kind()))
    return example


def _answer(error: ApiError) -> Response[Problem]:
    return Response(
        problem(error), status_code=error.status, headers=error.headers, media_type=MEDIA_TYPE
    )


def _on_api_error(_: Request[Any, Any, Any], error: ApiError) -> Response[Problem]:
    return _answer(error)


def _on_unavailable(_: Request[Any, Any, Any], error: StoreUnavailableError) -> Response[Problem]:
    log.warning("the database cannot be used", reason=str(error))
    return _answer(errors.UnavailableError())


def _on_unknown_outcome(
    request: Request[Any, Any, Any], error: OutcomeUnknownError
) -> Response[Problem]:
    log.warning("whether a job was stored is not known", reason=str(error))
    # The job of a key may be one that an earlier request made.
    keyed = "idempotency-key" in request.headers
    return _answer(errors.OutcomeUnknownError(None if keyed else error.job_id))


def _on_conflict(_: Request[Any, Any, Any], __: IdempotencyConflictError) -> Response[Problem]:
    return _answer(errors.IdempotencyConflictError())


def _on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    match error:
        case ParameterException():
            return _answer(errors.InvalidRequestError(flaws=tuple(_flaws(request, error))))
        case NotFoundException():
            return _answer(errors.NothingHereError(_reason(request)))
        case MethodNotAllowedException():
            return _answer(errors.MethodNotAllowedError(headers=_allow(error)))
        case HTTPException(status_code=status) if status < errors.InternalError.status:
            return _answer(errors.BadRequestError(error.detail))
        case _:
            return _on_failure(request, error)


def _on_failure(_: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    log.error("a request failed", exc_info=error)
    return _answer(errors.InternalError())


def _flaws(request: Request[Any, Any, Any], error: HTTPException) -> Iterator[Flaw]:
    """Yield Litestar's validation errors, with the public names of the Python arguments."""
    arguments = request.route_handler.parsed_fn_signature.parameters
    for item in error.extra or []:
        if isinstance(item, dict) and (argument := arguments.get(item.get("key", ""))):
            definition = argument.kwarg_definition
            if isinstance(definition, ParameterKwarg):
                name = definition.name or argument.name
                message = f"{item['message']}{_values(argument.annotation)}"
                yield Flaw(name, definition.param_type.value, message)


def _values(annotation: Any) -> str:
    """Return the end of a message that lists the values of an enumeration."""
    kinds = (it for it in (annotation, *get_args(annotation)) if isinstance(it, type))
    values = [str(value) for kind in kinds if issubclass(kind, Enum) for value in kind]
    return f": expected one of {', '.join(values)}" if values else ""


def _reason(request: Request[Any, Any, Any]) -> str:
    """Return why there is nothing at a path; "" if nothing more is known."""
    found = _ID.fullmatch(path_of(request.scope))
    if found and not _is_id(found["id"]):
        return f"{found['id']!r} is no id: the id of a job is a UUID, and GET /jobs lists jobs."
    return ""


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _allow(error: HTTPException) -> dict[str, str]:
    methods = set((error.headers or {}).get("allow", "").split(", "))
    return {"Allow": ", ".join(sorted(methods | ({"HEAD"} if "GET" in methods else set())))}


HANDLERS: Final[ExceptionHandlersMap] = {
    ApiError: _on_api_error,
    IdempotencyConflictError: _on_conflict,
    OutcomeUnknownError: _on_unknown_outcome,
    StoreUnavailableError: _on_unavailable,
    HTTPException: _on_http_exception,
    Exception: _on_failure,
}
