"""The addresses of the systems that run on this machine, where the command line finds them.

Each is a file in a folder of the user, named after its port, that holds the URL. It is locked as
long as the system runs, so one that was killed is not taken for running.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 1000


@contextlib.contextmanager
def announced(url: str, port: int, environ: Mapping[str, str]) -> Iterator[Path]:
    """Keep a URL where `newest` finds it during the block; raises OSError."""
    path = folder(environ) / f"{port}.url"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate(0)
        file.write(url)
        file.flush()
        os.utime(path)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def newest(environ: Mapping[str, str]) -> str | None:
    """Return the URL of the running system that started last, or None if none runs."""
    try:
        files = list(folder(environ).glob("*.url"))
    except OSError:
        return None
    return max(filter(None, map(_running, files)), default=(0.0, None))[1]


def folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the files, that of a user's states (XDG Base Directory)."""
    state = environ.get("XDG_STATE_HOME", "")
    base = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return base / "mousetrap" / "running"


def _running(path: Path) -> tuple[float, str] | None:
    """Return when the system of a file was started, and its URL."""
    try:
        with path.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return os.fstat(file.fileno()).st_mtime, file.read(MAX_BYTES)
    except OSError:
        return None  # another one that has just ended
    return None
