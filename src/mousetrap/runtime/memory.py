"""The heap of this process, Python's and the one below it."""

import ctypes
import gc
from typing import Final

GARBAGE: Final = 20_000
M_MMAP_THRESHOLD: Final = -3  # <malloc.h>
LARGE: Final = 64 * 1024


def settle() -> None:
    """Set both heaps up for what is to come, once all is imported.

    The collector of cycles leaves alone what is there by now, and runs when 20,000 objects more
    have been made than freed, instead of 2,000: so many belong to the messages in hand, which come
    and go all the time and leave next to no cycles behind.

    What starting left behind is given back, and every block of 64 KiB or more gets a mapping of its
    own, which ends when it is freed. Left alone, glibc raises its threshold to the largest block
    that was freed (mallopt(3)). From then on batches lie in the heap, among small blocks that
    outlive them, and the heap grows with every job although nothing is kept. Without glibc there
    is no such heap.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE)
