"""All open connections: how many there may be, and which of them must end."""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Protocol

from mousetrap.api.http.peers import Client, Peers
from mousetrap.api.http.slots import Slots
from mousetrap.api.metrics import ApiMetrics
from mousetrap.telemetry import logs

PERIOD: Final = 1.0
"""Seconds between two looks at the unsent bytes of all connections."""
WRITE_DEADLINE: Final = 20.0
"""Seconds without progress after which a connection with unsent bytes is aborted."""
UNSENT_LIMIT: Final = 64 * 1024 * 1024
"""Unsent bytes of all connections together; beyond it those without progress are aborted."""
SPARE: Final = 64
SPARE_PER_PEER: Final = 4
"""Connections beyond the limits that get an answer; further ones are closed without one."""

log = logs.logger(__name__)


class Slot(Enum):
    """The slot that a connection was given."""

    REGULAR = auto()
    SPARE = auto()
    """Beyond a limit: it may get one answer."""
    NONE = auto()


class Member(Protocol):
    """An open connection."""

    client: Client
    transport: asyncio.Transport


@dataclass(slots=True)
class _Stall:
    unsent: int
    since: float


class Connections:
    """The connections of one server, at most `maximum`, and at most `per_peer` of each peer.

    While there are any, it looks at their unsent bytes every `period` seconds. A size that did not
    fall since the previous look means that the peer reads nothing; looking costs requests nothing.
    """

    def __init__(  # noqa: PLR0913 - each is a collaborator or a plain number
        self,
        metrics: ApiMetrics,
        peers: Peers,
        *,
        maximum: int,
        per_peer: int,
        period: float = PERIOD,
        write_deadline: float = WRITE_DEADLINE,
        unsent_limit: int = UNSENT_LIMIT,
    ) -> None:
        self._peers = peers
        self._slots = {
            Slot.REGULAR: Slots(maximum, per_peer),
            Slot.SPARE: Slots(SPARE, SPARE_PER_PEER),
        }
        self._period = period
        self._write_deadline = write_deadline
        self._unsent_limit = unsent_limit
        self._refused = metrics.connections_refused
        self._aborted = metrics.connections_aborted
        metrics.connections.set_function(lambda: len(self._members))
        self._members: dict[Member, tuple[Slot, str | None]] = {}
        self._stalled: dict[Member, _Stall] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def maximum(self) -> int:
        """The number of connections that are accepted, apart from spare ones."""
        return self._slots[Slot.REGULAR].maximum

    def lower(self, maximum: int) -> None:
        """Accept at most `maximum` connections, if that is fewer than now."""
        self._slots[Slot.REGULAR].maximum = min(self.maximum, maximum)

    def join(self, member: Member) -> Slot:
        """Count a new connection, and return its slot."""
        peer = self._peers.of(member.client)
        slot = self._slot(peer)
        if slot is Slot.NONE:
            return slot
        self._members[member] = slot, peer
        self._slots[slot].take(peer)
        if self._timer is None:
            self._look_later()
        return slot

    def leave(self, member: Member) -> None:
        """Forget a connection that was closed."""
        self._stalled.pop(member, None)
        slot, peer = self._members.pop(member, (Slot.NONE, None))
        if slot is not Slot.NONE:
            self._slots[slot].leave(peer)

    def fill(self, member: Member) -> None:
        """Record that the buffer of a connection is full; this may end others, or the same one."""
        now = asyncio.get_running_loop().time()
        unsent = member.transport.get_write_buffer_size()
        self._stalled.setdefault(member, _Stall(unsent, now))
        self._bound()

    def drain(self, member: Member) -> None:
        """Record that the peer of a connection has read most of the buffer."""
        self._stalled.pop(member, None)

    def _slot(self, peer: str | None) -> Slot:
        full = self._slots[Slot.REGULAR].full(peer)
        if full is None:
            return Slot.REGULAR
        self._refused.labels(full.value).inc()
        return Slot.NONE if self._slots[Slot.SPARE].full(peer) else Slot.SPARE

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._period, self._look)

    def _look(self) -> None:
        now, stalled = asyncio.get_running_loop().time(), {}
        for member in self._members:
            if member.transport.get_write_buffer_size():
                stalled[member] = self._observe(member, now)
        self._stalled = stalled
        overdue = now - self._write_deadline
        for member in [it for it, stall in stalled.items() if stall.since <= overdue]:
            self._abort(member, "stalled")
        self._bound()
        self._timer = None
        if self._members:
            self._look_later()

    def _observe(self, member: Member, now: float) -> _Stall:
        unsent, before = member.transport.get_write_buffer_size(), self._stalled.get(member)
        moved = before is None or unsent < before.unsent
        return _Stall(unsent, now if before is None or moved else before.since)

    def _bound(self) -> None:
        """Abort the connections without progress for longest, until few enough bytes are unsent."""
        total = sum(it.transport.get_write_buffer_size() for it in self._stalled)
        if total <= self._unsent_limit:
            return
        now = asyncio.get_running_loop().time()
        self._stalled = {it: self._observe(it, now) for it in self._stalled}
        for member, stall in sorted(self._stalled.items(), key=lambda it: it[1].since):
            self._abort(member, "unsent")
            total -= stall.unsent
            if total <= self._unsent_limit:
                return

    def _abort(self, member: Member, reason: str) -> None:
        del self._stalled[member]
        self._aborted.labels(reason).inc()
        log.info("a client reads too slowly and is cut off", reason=reason)
        member.transport.abort()
