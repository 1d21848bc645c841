"""What the heap does shows in a process of its own, before anything else has shaped it."""

import os
import platform
import subprocess
import sys

import pytest

from processes import PYTHON_PATH

PROGRAM = """
import ctypes
from mousetrap.queue import heap

class Statistics(ctypes.Structure):  # mallinfo2(3)
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd",
        "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
    )]

def mapped():
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = Statistics
    return mallinfo2().hblks

def batch():
    return ctypes.create_string_buffer(300 * 1024)

batch()  # freed at once
before, kept = mapped(), batch()
print(mapped() - before)
"""


def mapped(program: str) -> int:
    """Return how many mappings a batch takes after one that was freed."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's heap that grows")
def test_no_batch_lies_in_the_heap() -> None:
    ours = PROGRAM.replace("batch()  #", "heap.settle()\nbatch()  #")

    assert (mapped(PROGRAM), mapped(ours)) == (0, 1)
