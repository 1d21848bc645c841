"""The data folder, locked by one launcher at a time, as long as one of its servers runs."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mousetrap.stack.errors import FolderError, FolderInUseError
from mousetrap.stack.identity import Identity

# A socket's path has 104 bytes on macOS, the last of them zero; Linux allows four more.
LONGEST_SOCKET_PATH = 103
LONGEST_SOCKET_NAME = ".s.PGSQL.5432"
PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Folder:
    """A locked data folder. Every server inherits the descriptor `lock`, which keeps it locked."""

    root: Path
    lock: int

    @property
    def postgres(self) -> Path:
        """Where Postgres keeps its data."""
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        """Where Valkey keeps its data."""
        return self.root / "valkey"

    def clear(self) -> None:
        """Remove all data, and nothing else in the folder; raises FolderError."""
        for data in (self.postgres, self.valkey):
            self.remove(data)

    def remove(self, path: Path) -> None:
        """Remove a folder with all in it, if it is there; raises FolderError."""
        try:
            if path.exists():
                shutil.rmtree(path)
        except OSError as error:
            raise _unusable(self.root, error) from error

    def provide(self, path: Path, owner: Identity) -> Path:
        """Give the folder `path` and its content to `owner`; nobody else may enter it.

        Raises FolderError.
        """
        try:
            path.mkdir(mode=0o700, exist_ok=True)
            if path.stat().st_uid != owner.uid:
                # The folder itself comes last: its owner shows that the work was finished.
                for each in (*path.rglob("*"), path):
                    os.chown(each, owner.uid, owner.gid, follow_symlinks=False)
        except OSError as error:
            raise _unusable(self.root, error) from error
        return path

    @contextlib.contextmanager
    def sockets(self, owner: Identity) -> Iterator[Path]:
        """Yield a private folder with a path that is short enough for sockets; raises FolderError.

        It is in the data folder if its path is short enough, otherwise among the temporary files.
        """
        path = self._socket_folder()
        try:
            if path.exists():
                shutil.rmtree(path)  # left by a launcher that was killed
            path.mkdir(mode=0o700)
            os.chown(path, owner.uid, owner.gid)
        except OSError as error:
            raise FolderError(
                f"{path}, the folder for sockets, cannot be made ({error}): remove it"
            ) from error
        try:
            yield path
        finally:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(path)

    def _socket_folder(self) -> Path:
        status = self.root.stat()
        name = f"mousetrap-{status.st_dev:x}-{status.st_ino:x}"
        shortest = "/tmp"  # noqa: S108 - the folder in it is private
        folders = (
            self.root / "sockets",
            Path(tempfile.gettempdir(), name),
            Path(shortest, name),
        )
        return next(filter(fits_sockets, folders))


def fits_sockets(path: Path) -> bool:
    """Tell whether every program accepts the paths of sockets in this folder."""
    # asyncpg and libpq take a comma for the end of a host.
    return "," not in str(path) and len(os.fsencode(path / LONGEST_SOCKET_NAME)) <= (
        LONGEST_SOCKET_PATH
    )


@contextlib.contextmanager
def hold(root: Path, *, patience: float = PATIENCE) -> Iterator[Folder]:
    """Make the folder if it is missing, and lock it against every other launcher.

    The servers of a killed launcher need a moment to end, so the lock is tried again for
    `patience` seconds. Raises FolderInUseError, which names the holder, and FolderError.
    """
    try:
        root = root.resolve()
        root.mkdir(parents=True, exist_ok=True)
        file = (root / "lock").open("a+", encoding="ascii")
    except OSError as error:
        raise _unusable(root, error) from error
    with file:
        _lock(file, root, time.monotonic() + patience)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield Folder(root, file.fileno())


def _lock(file: IO[str], root: Path, end: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                file.seek(0)
                raise _in_use(root, file.read().strip()) from None
            time.sleep(0.05)
        except OSError as error:
            raise _unusable(root, error) from error
        else:
            return


def _in_use(root: Path, holder: str) -> FolderInUseError:
    way_out = "or choose another data folder"
    try:
        os.kill(int(holder), 0)
    except (ValueError, ProcessLookupError):
        return FolderInUseError(
            f"{root} is in use by servers that a killed launcher left behind:"
            f" end the processes that have {root / 'lock'} open, {way_out}"
        )
    except PermissionError:
        pass  # it runs, as another user
    return FolderInUseError(f"{root} is in use by process {holder}: end that first, {way_out}")


def _unusable(root: Path, error: OSError) -> FolderError:
    return FolderError(f"{root} cannot be the data folder: {error}: choose another one")
