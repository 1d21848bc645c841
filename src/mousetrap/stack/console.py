"""The lines of all processes on one stream, each after the name of its process."""

import itertools
import os
import signal
import threading
from typing import TextIO

NAME_WIDTH = 14
LONGEST_LINE = 64 * 1024
FLUSH_DEADLINE = 1.0
COLOURS: tuple[int, ...] = (
    36,
    33,
    32,
    35,
    34,
    96,
    93,
    92,
)  # ANSI foreground colours that are legible on light and dark backgrounds


class Console:
    """An Output for a terminal.

    The end of the stream neither blocks nor kills the processes: once nobody reads it, lines are
    dropped and this process sends itself SIGTERM.
    """

    def __init__(self, stream: TextIO, *, colour: bool, width: int = NAME_WIDTH) -> None:
        self._stream = stream
        self._width = width
        self._colours = itertools.cycle(COLOURS) if colour else itertools.repeat(None)
        self._names: dict[str, str] = {}
        self._pumps: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._lost = False

    def close(self) -> None:
        """Wait for the last lines; every process that writes here must have ended."""
        for name in self._pumps:
            self.flush(name)
        if self._lost:
            # The interpreter flushes the stream at exit, and would report an error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def open(self, name: str) -> int:
        """Return the descriptor of a pipe whose lines appear here."""
        reader, writer = os.pipe()
        pump = threading.Thread(target=self._pump, args=(name, reader), daemon=True)
        self._pumps[name] = pump
        pump.start()
        return writer

    def tail(self, name: str) -> str:
        """Wait for the output of a process, which is printed already; return an empty text."""
        self.flush(name)
        return ""

    def flush(self, name: str) -> None:
        """Wait until all output of an ended process has been printed."""
        if name in self._pumps:
            self._pumps[name].join(FLUSH_DEADLINE)

    def say(self, name: str, text: str) -> None:
        """Write a line after a name."""
        with self._lock:
            self._write(f"{self._label(name)} {text}")

    def announce(self, text: str) -> None:
        """Write a text that belongs to no process."""
        with self._lock:
            self._write(text)

    def _pump(self, name: str, reader: int) -> None:
        with os.fdopen(reader, "rb") as lines:
            while line := lines.readline(LONGEST_LINE):
                self.say(name, line.decode(errors="replace").rstrip("\r\n"))

    def _label(self, name: str) -> str:
        if name not in self._names:
            colour = next(self._colours)
            label = f"{name:<{self._width}} |"
            self._names[name] = label if colour is None else f"\x1b[{colour}m{label}\x1b[0m"
        return self._names[name]

    def _write(self, text: str) -> None:
        if self._lost:
            return
        try:
            self._stream.write(f"{text}\n")
            self._stream.flush()
        except OSError:
            self._lost = True
            os.kill(os.getpid(), signal.SIGTERM)
