"""The behaviour of the heap shows in a process of its own, before anything else has shaped it."""

import platform

import pytest

from support import processes

MAPPED = """
import ctypes
from mousetrap.runtime import memory

class Statistics(ctypes.Structure):  # mallinfo2(3)
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd",
        "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
    )]

def mapped():
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = Statistics
    return mallinfo2().hblks
"""

BATCH = f"""{MAPPED}
def batch():
    return ctypes.create_string_buffer(300 * 1024)

batch()  # freed at once
before, kept = mapped(), batch()
print(mapped() - before)
"""

RECEIVED = f"""{MAPPED}
import asyncio, socket

class Receiver(asyncio.Protocol):
    def __init__(self):
        self.mapped = asyncio.get_running_loop().create_future()

    def data_received(self, data):
        self.mapped.set_result(mapped())

async def receive():
    one, other = socket.socketpair()
    _, receiver = await asyncio.get_running_loop().create_connection(Receiver, sock=one)
    before = mapped()
    other.send(b"x")
    print(await receiver.mapped - before)

memory.settle()
asyncio.run(receive())
"""

CYCLES = """
import gc
from mousetrap.runtime import memory

class Node:
    def __init__(self):
        self.itself = self

collections = []
gc.collect()
gc.callbacks.append(lambda phase, it: phase == "stop" and collections.append(it["collected"]))
memory.settle()
"""


def mapped(program: str) -> int:
    """Return how many mappings a program finds that its blocks take."""
    return int(processes.printed(program))


def collected(program: str) -> list[int]:
    """Return how many objects each collection of garbage found."""
    return [int(it) for it in processes.printed(f"{CYCLES}{program}\nprint(*collections)").split()]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc's heap that grows")
def test_no_batch_lies_in_the_heap() -> None:
    ours = BATCH.replace("batch()  #", "memory.settle()\nbatch()  #")

    assert (mapped(BATCH), mapped(ours)) == (0, 1)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that maps blocks")
def test_what_is_received_lies_in_the_heap() -> None:
    assert mapped(RECEIVED) == 0


def test_messages_that_come_and_go_are_not_searched_for_garbage() -> None:
    assert collected("for _ in range(100): in_hand = [[] for _ in range(9_000)]") == []


def test_garbage_is_collected() -> None:
    assert sum(collected("for _ in range(50_000): Node()")) > 20_000


def test_what_was_there_at_the_start_is_not_searched() -> None:
    count = "print(len(gc.get_objects()))"
    program = f"import gc\nfrom mousetrap.runtime import memory\n{count}\nmemory.settle()\n{count}"

    before, after = map(int, processes.printed(program).split())
    assert after < before / 10
