"""Token buckets, one a caller, in memory of a fixed size."""

import functools
import math
import time
from collections.abc import Callable
from typing import Final

from mousetrap.api.http import peers
from mousetrap.api.http.errors import RateLimitedError

BUCKETS: Final = 10_000
UNKNOWN: Final = "?"
"""The bucket of peers without an address; no token can have this name."""
LONGEST: Final = 64


class RateLimit:
    """Admits `burst` requests of a key at once, and `rate` per second in the long run.

    A bucket is one number, the time at which it is full again (the generic cell rate algorithm,
    ITU-T I.371). Of more than BUCKETS keys, those not seen for the longest time begin anew.
    """

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = 1 / rate if rate else 0.0
        self._depth = (burst - 1) * self._interval
        self._clock = clock
        self._full: dict[str, float] = {}

    def __len__(self) -> int:
        """Return the number of buckets."""
        return len(self._full)

    def take(self, key: str) -> None:
        """Count a request; raises RateLimitedError if the bucket of its key is empty."""
        if not self._interval:
            return
        now = self._clock()
        full = max(self._full.pop(key, now), now)
        wait = full - now - self._depth
        # A dict keeps the order of insertion, so its first key is the one not seen for longest.
        self._full[key] = full if wait > 0 else full + self._interval
        if len(self._full) > BUCKETS:
            del self._full[next(iter(self._full))]
        if wait > 0:
            raise RateLimitedError(seconds=math.ceil(wait))


def bucket(peer: str) -> str | None:
    """Return the key of a peer's bucket; None for a peer on this machine, which has none.

    All addresses of one subscriber share a bucket.
    """
    return _bucket(peer) if len(peer) <= LONGEST else UNKNOWN


@functools.lru_cache(maxsize=4096)
def _bucket(peer: str) -> str | None:
    try:
        address = peers.address_of(peer)
    except ValueError:  # a proxy may pass anything on
        return UNKNOWN
    if address.is_loopback:
        return None
    return peers.name(address)
