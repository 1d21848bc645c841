"""The name of this process in `ps`, `top` and `pgrep`, where every one of ours is a `python`."""

import contextlib
from pathlib import Path
from typing import Final

LONGEST: Final = 15
"""Bytes of a name that Linux keeps."""
COMM: Final = Path("/proc/self/comm")


def name(part: str = "") -> None:
    """Call this process `mousetrap-PART`, cut to LONGEST; only Linux has such names."""
    called = f"mousetrap-{part}" if part else "mousetrap"
    with contextlib.suppress(OSError):  # not Linux, or a container that forbids it
        COMM.write_text(called[:LONGEST], "ascii")
