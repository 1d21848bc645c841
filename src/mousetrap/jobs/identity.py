"""The ids of jobs."""

import os
import time
from typing import Final
from uuid import UUID

_FIXED: Final = 0xF << 76 | 0x3 << 62
_VERSION_7: Final = 0x7 << 76 | 0x2 << 62


def new_id() -> UUID:
    """Return a UUID of version 7 (RFC 9562, section 5.7): its milliseconds, then random bits.

    Ids of about the same time lie together in an index, so what is done to the newest jobs, and to
    the oldest, touches few pages of it.
    """
    bits = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10))
    return UUID(int=bits & ~_FIXED | _VERSION_7)
