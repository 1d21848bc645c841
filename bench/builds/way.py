"""A way to build the images of all deployables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

DEPLOYABLES: Final = ("api", "fetch_worker", "process_worker")


class Way(Protocol):
    """A way to build, from sources that nothing else changes."""

    @property
    def name(self) -> str:
        """The name of the way."""

    def forget(self) -> None:
        """Start from scratch, as on a machine that has the tools and has built nothing.

        The build cache, which all ways share, is not emptied.
        """

    def append(self, path: Path, line: str) -> None:
        """Add a line to a file, named from the root of this repository."""

    def build(self) -> Mapping[str, str]:
        """Build all images; return their references by the names of the deployables."""
