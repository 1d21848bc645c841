"""Refuses query parameters that an operation does not have, like unknown fields of a body."""

from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from mousetrap.api.http.errors import InvalidRequestError
from mousetrap.api.schema.problem import Flaw

MAX_FLAWS: Final = 10
MAX_NAME: Final = 64
"""The maximum number of parameters that an answer names, and of characters of each."""


async def refuse_unknown(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Raise InvalidRequestError for query parameters that a handler does not declare."""
    if not connection.scope["query_string"]:
        return
    known = _declared(handler)
    if unknown := sorted(set(connection.query_params).difference(known))[:MAX_FLAWS]:
        hint = f"known are {', '.join(known)}" if known else "there are none"
        flaws = (Flaw(name[:MAX_NAME], "query", f"Unknown parameter: {hint}") for name in unknown)
        raise InvalidRequestError(flaws=tuple(flaws))


def _declared(handler: BaseRouteHandler) -> list[str]:
    arguments = handler.parsed_fn_signature.parameters.values()
    named = ((it.kwarg_definition, it.name) for it in arguments)
    return sorted(
        definition.name or name
        for definition, name in named
        if isinstance(definition, QueryParameter)
    )
