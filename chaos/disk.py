"""A disk of its own, which can be filled: a file system in memory, which only root can mount."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

BALLAST: Final = "ballast"
BLOCK: Final = bytes(64 * 1024)


def mountable() -> bool:
    """Return whether this process may mount file systems."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [effective] = [it.split()[1] for it in status.splitlines() if it.startswith("CapEff")]
    return bool(int(effective, 16) >> 21 & 1)  # CAP_SYS_ADMIN


@contextlib.contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a disk of so many MB on a folder, which is created.

    Only this process and its children see it, so that it ends with them, however they end.
    """
    os.unshare(os.CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    folder.mkdir(mode=0o755, exist_ok=True)
    options = f"size={megabytes}m,mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> int:
    """Fill the disk of a folder to the last byte; return how many it took."""
    with (folder / BALLAST).open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(BLOCK):
            pass
        # A write that did not fit entirely has returned the bytes that did.
    return (folder / BALLAST).stat().st_size


def free(folder: Path) -> None:
    """Free what `fill` has filled."""
    (folder / BALLAST).unlink(missing_ok=True)
