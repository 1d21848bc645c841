"""The heaps of this process: Python's and glibc's."""

import ctypes
import gc
from asyncio import selector_events
from typing import Any, Final

GARBAGE: Final = 20_000
M_MMAP_THRESHOLD: Final = -3  # <malloc.h>
LARGE: Final = 64 * 1024
RECEIVED: Final = 32 * 1024


def settle() -> None:
    """Tune both heaps once everything is imported.

    The garbage collector skips all objects that exist by now, and runs after 20,000 new objects
    instead of 2,000: messages in flight allocate that many and leave hardly any cycles.

    Freed memory goes back to the system, and every block of 64 KiB or more gets a memory mapping of
    its own. By default glibc raises this threshold to the largest freed block (mallopt(3)),
    so batches would land between small blocks that outlive them, and the heap would grow with every
    job. Other C libraries have no such heap. asyncio's own loop allocates the most that it may
    receive before each read, which should not be a large block.
    """
    transport: Any = selector_events
    transport._SelectorTransport.max_size = RECEIVED  # noqa: SLF001 - asyncio offers nothing else
    gc.freeze()
    gc.set_threshold(GARBAGE)
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE)
