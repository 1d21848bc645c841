"""The heap of this process, below Python."""

import ctypes
from typing import Final

M_MMAP_THRESHOLD: Final = -3  # <malloc.h>
LARGE: Final = 64 * 1024


def settle() -> None:
    """Give back what starting left behind, and have large blocks go back by themselves.

    Every block of 64 KiB or more gets a mapping of its own, which ends when it is freed. Left
    alone, glibc raises its threshold to the largest block that was freed (mallopt(3)). From then
    on batches lie in the heap, among small blocks that outlive them, and the heap grows with every
    job although nothing is kept. Without glibc this does nothing.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE)
