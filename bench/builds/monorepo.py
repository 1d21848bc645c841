"""Our way: `./pants package`, in a clone of this repository."""

import os
import select
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.builds import engine
from bench.builds.engine import BuildError
from bench.builds.way import DEPLOYABLES

IMAGES: Final = {package: package.replace("_", "-") for package in DEPLOYABLES}
AUTHOR: Final = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid")
# Seconds for the daemon of Pants to end.
DEADLINE: Final = 30.0


class Monorepo:
    """Builds clones of the checked-out commit, with caches of its own."""

    name = "mousetrap"

    def __init__(self, root: Path) -> None:
        self._root = root
        self._clone = root / "clone"

    def forget(self) -> None:
        """Start from scratch; it ends a daemon that still runs."""
        self.end()
        shutil.rmtree(self._root, ignore_errors=True)
        self._root.mkdir()
        engine.run("git", "clone", "--quiet", ".", self._clone)

    def append(self, path: Path, line: str) -> None:
        """Add a line to a file and commit it, because commits name the images that they concern."""
        with (self._clone / path).open("a") as file:
            file.write(f"\n{line}\n")
        engine.run("git", *AUTHOR, "commit", "--quiet", "--all", "-m", line, cwd=self._clone)

    def build(self) -> Mapping[str, str]:
        """Build the images of the three deployables with one command."""
        self._package(*(f"deploy/images:{image}" for image in IMAGES.values()))
        return {name: f"{engine.REGISTRY}/mousetrap/{image}" for name, image in IMAGES.items()}

    def pex_files(self) -> Mapping[str, Path]:
        """Return the PEX files of the images."""
        self._package(*(f"src/mousetrap/{package}" for package in DEPLOYABLES))
        return {package: self._clone / "dist" / f"{package}.pex" for package in DEPLOYABLES}

    def end(self) -> None:
        """End the daemon of Pants, if it runs."""
        for file in self._clone.glob(".pids/*/pantsd/pid"):
            try:
                daemon = os.pidfd_open(int(file.read_text()))
            except ProcessLookupError:
                continue
            signal.pidfd_send_signal(daemon, signal.SIGTERM)
            ended, _, _ = select.select([daemon], [], [], DEADLINE)
            os.close(daemon)
            if not ended:
                raise BuildError("the daemon of Pants does not end")

    def _package(self, *targets: str) -> None:
        registry = {"bench": {"address": engine.REGISTRY, "default": True}}
        options = (
            f"--local-store-dir={self._root / 'store'}",
            f"--named-caches-dir={self._root / 'named'}",
            f"--docker-registries={registry}",
        )
        engine.run("./pants", *options, "package", *targets, cwd=self._clone)
