"""The heap of this process, below Python."""

import ctypes
from typing import Final

M_MMAP_THRESHOLD: Final = -3  # <malloc.h>
LARGE: Final = 64 * 1024


def keep_large_blocks_out() -> None:
    """Give every block of 64 KiB or more a mapping of its own, which ends when it is freed.

    Left alone, glibc raises its threshold to the largest block that was freed (mallopt(3)). From
    then on batches lie in the heap, among small blocks that outlive them, and the heap grows with
    every job although nothing is kept. Without glibc this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
