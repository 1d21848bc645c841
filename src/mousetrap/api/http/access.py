"""Middleware that decides who may send which request, and logs refusals and operations."""

from typing import Any, Final

from mousetrap.api.http import authentication, rate_limit, scopes
from mousetrap.api.http.authentication import ANYBODY, NOBODY, Caller, Tokens
from mousetrap.api.http.errors import ApiError, ForbiddenError, UnauthenticatedError
from mousetrap.api.http.hosts import Hosts
from mousetrap.api.http.limits import Application, Message, Receive, Send
from mousetrap.api.http.limits import Scope as Connection
from mousetrap.api.http.rate_limit import RateLimit
from mousetrap.api.http.scopes import Scope
from mousetrap.api.metrics import ApiMetrics
from mousetrap.telemetry import logs

UNLIMITED: Final = "/health/"
"""Probes come often and cost less than a refusal."""

log = logs.logger(__name__)


class Access:
    """ASGI middleware, outside of everything that answers with data.

    It raises an ApiError for a request that is refused, and tells the handlers of all others their
    Caller in `scope["auth"]`. Without `tokens` everybody may send every request.
    """

    def __init__(
        self,
        app: Application,
        tokens: Tokens | None,
        hosts: Hosts,
        rates: RateLimit,
        metrics: ApiMetrics,
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._hosts = hosts
        self._rates = rates
        self._refused = metrics.refused

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scopes.path_of(scope)
        needed = scopes.required(scope["method"], path)
        caller = NOBODY
        try:
            self._hosts.check(scope["method"], scope["headers"])
            token = None
            if self._tokens is None:
                caller = ANYBODY
            else:
                token = authentication.presented(scope["headers"])
                caller = (token and self._tokens.find(token)) or NOBODY
            if not path.startswith(UNLIMITED):
                self._count(scope, caller)
            if needed is not None and needed not in caller.scopes:
                raise _refusal(caller, needed, token)
        except ApiError as error:
            self._refused.labels(error.code).inc()
            log.warning(
                "a request was refused",
                **_facts(scope, caller, int(error.status)),
                code=error.code,
            )
            raise
        scope["auth"] = caller
        if needed is Scope.OPERATE:
            send = _Audited(scope, caller, send).send
        await self._app(scope, receive, send)

    def _count(self, scope: Connection, caller: Caller) -> None:
        key = caller.name or rate_limit.bucket(_peer(scope))
        if key is not None:
            self._rates.take(key)


class _Audited:
    """The `send` of a request that needs the scope `operate`: it logs the status."""

    def __init__(self, scope: Connection, caller: Caller, send: Send) -> None:
        self._scope = scope
        self._caller = caller
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            log.info("an operator acted", **_facts(self._scope, self._caller, message["status"]))
        await self._send(message)


def _refusal(caller: Caller, needed: Scope, token: bytes | None) -> ApiError:
    if caller.name is not None:
        return ForbiddenError(
            f"The token {caller.name!r} lacks the scope {needed.value!r}, which this request needs:"
            " ask the operator for another token.",
            scope=needed,
        )
    if token is None:
        return UnauthenticatedError()
    return UnauthenticatedError("The token is unknown: ask for a new one.", error="invalid_token")


def _facts(scope: Connection, caller: Caller, status: int) -> dict[str, Any]:
    return {
        "caller": caller.name,
        "peer": _peer(scope),
        "method": scope["method"],
        "path": scope["raw_path"].decode("ascii", "backslashreplace"),
        "status": status,
    }


def _peer(scope: Connection) -> str:
    """Return the address of the client; a unix socket has none, and is on this machine."""
    client = scope.get("client")
    return str(client[0]) if client else "127.0.0.1"
