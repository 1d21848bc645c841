"""Answers that are sent in pieces, as fast as their clients read."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mousetrap.api.http.errors import OverloadedError
from mousetrap.api.http.limits import Scope
from mousetrap.api.http.peers import Peers
from mousetrap.api.http.slots import Full, Slots
from mousetrap.api.metrics import ApiMetrics
from mousetrap.telemetry import logs

MAXIMUM: Final = 64
"""Transfers at a time: few of the requests in flight, because a transfer may be a slow one."""
PER_CALLER: Final = MAXIMUM // 4
"""Transfers at a time of one token, or of one peer without a token."""
DEADLINE: Final = 300.0
"""Seconds after which the connection of a transfer is aborted, even if its client still reads.

A transfer that has begun is not ended before when its token is revoked.
"""
FULL: Final = {
    Full.TOTAL: "The process sends too many large answers already: try again.",
    Full.HOLDER: "You receive too many large answers already: read or close one.",
}

log = logs.logger(__name__)

Key = tuple[str, str]


class Transfers:
    """The transfers that are under way in this process."""

    def __init__(self, peers: Peers, metrics: ApiMetrics) -> None:
        self._peers = peers
        self._overloaded = metrics.refused.labels(OverloadedError.code)
        self._overdue = metrics.connections_aborted.labels("overdue")
        self._slots = Slots(MAXIMUM, PER_CALLER)

    @contextmanager
    def under_way(self, scope: Scope) -> Iterator[None]:
        """Hold a slot while the answer to a request is sent; raises OverloadedError.

        The answer has to end when the connection does.
        """
        key = self._key(scope)
        if full := self._slots.full(key):
            self._overloaded.inc()
            raise OverloadedError(FULL[full])
        timer = asyncio.get_running_loop().call_later(DEADLINE, self._abort, scope)
        with self._slots.held(key):
            try:
                yield
            finally:
                timer.cancel()

    def _key(self, scope: Scope) -> Key | None:
        """Return whose transfer it is; None for a proxy that asks for many."""
        if scope["auth"].name is not None:
            return "token", scope["auth"].name
        peer = self._peers.of(scope["client"])
        return None if peer is None else ("peer", peer)

    def _abort(self, scope: Scope) -> None:
        self._overdue.inc()
        log.info("a client reads a large answer too slowly and is cut off")
        scope["state"]["abort"]()
