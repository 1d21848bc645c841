"""Refuses queries that Litestar would take leniently, like unknown fields of a body."""

import re
from typing import Any, Final

from litestar import Request
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from mousetrap.api.http.errors import InvalidRequestError
from mousetrap.api.schema.problem import Flaw

MAX_FLAWS: Final = 10
MAX_NAME: Final = 64
"""The maximum number of parameters that an answer names, and of characters of each."""
_DIGITS: Final = re.compile(r"-?[0-9]+")


async def check(request: Request[Any, Any, Any]) -> None:
    """Raise InvalidRequestError for unknown parameters, and for a limit that is no decimal number.

    msgspec would read the latter leniently, such as "1e1".
    """
    if not request.scope["query_string"]:
        return
    known = _declared(request.route_handler)
    if unknown := sorted(set(request.query_params).difference(known))[:MAX_FLAWS]:
        hint = f"known are {', '.join(known)}" if known else "there are none"
        flaws = (Flaw(name[:MAX_NAME], "query", f"Unknown parameter: {hint}") for name in unknown)
        raise InvalidRequestError(flaws=tuple(flaws))
    if any(_DIGITS.fullmatch(value) is None for value in request.query_params.getall("limit", [])):
        raise InvalidRequestError(flaws=(Flaw("limit", "query", "Expected `int`"),))


def _declared(handler: BaseRouteHandler) -> list[str]:
    arguments = handler.parsed_fn_signature.parameters.values()
    named = ((it.kwarg_definition, it.name) for it in arguments)
    return sorted(
        definition.name or name
        for definition, name in named
        if isinstance(definition, QueryParameter)
    )
