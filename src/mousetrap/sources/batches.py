"""A cache of the newest batch of each source, for responses of status 304."""

import sys
from collections import OrderedDict
from dataclasses import dataclass
from itertools import chain
from typing import Final

from mousetrap.geo.batch import Batch
from mousetrap.geo.report import Report
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.http.download import NO_VERSION, Version
from mousetrap.sources.packed import PackedBatch

MAX_BYTES: Final = 16 * 1024 * 1024
POINT_BYTES: Final = 3 * 8 + 2 * 24
"""Bytes of a point without its name: three references and two floats."""

_NOTHING: Final = Fetched(Batch((), (), ()), Report())


@dataclass(frozen=True, slots=True)
class Known:
    """The batch of a source at one version."""

    version: Version = NO_VERSION
    fetched: Fetched = _NOTHING


class Batches:
    """A least-recently-used cache of batches by source, which take `max_bytes` at most in all."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._batches: OrderedDict[str, tuple[Known, int]] = OrderedDict()

    def find(self, source: str) -> Known:
        """Return the cached batch of a source, or an empty one without a version."""
        if source not in self._batches:
            return Known()
        self._batches.move_to_end(source)
        return self._batches[source][0]

    def keep(self, source: str, known: Known) -> None:
        """Cache a batch in place of the earlier one of its source."""
        self._batches[source] = (known, _size(known.fetched.batch))
        self._batches.move_to_end(source)
        while sum(size for _, size in self._batches.values()) > self._max_bytes:
            self._batches.popitem(last=False)


def _size(batch: Batch | PackedBatch) -> int:
    if isinstance(batch, PackedBatch):
        return sum(map(len, batch.pieces))
    texts = chain(batch.names, batch.ids, batch.groups)
    return len(batch) * POINT_BYTES + sum(map(sys.getsizeof, filter(None, texts)))
