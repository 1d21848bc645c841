"""Ctrl-C in the programs of the terminal: they end with 130, and never with a traceback."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Final, NoReturn

CODE: Final = 130
"""The exit code after Ctrl-C: 128 and the number of SIGINT."""


def guard() -> None:
    """End the process on Ctrl-C at once and silently, from here on until its last moment.

    Python would raise KeyboardInterrupt, and print it wherever nobody can catch it: in imports, in
    callbacks of the interpreter, while the process ends. To be called first, before other imports.
    The launcher blocks SIGINT until then, so none is lost.
    """
    signal.signal(signal.SIGINT, _end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt in the block, which cleans up.

    Nothing changes in a thread that is not the main one: it gets no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(*_: object) -> NoReturn:
    os._exit(CODE)
