"""A way to build the images of all deployables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

DEPLOYABLES: Final = ("api", "fetch_worker", "process_worker")


class Way(Protocol):
    """How people build, from sources that nobody else changes."""

    @property
    def name(self) -> str:
        """What the way is called."""

    def forget(self) -> None:
        """Begin anew, as on a machine that has the tools and has built nothing.

        The builder's cache is not emptied, since all ways share it.
        """

    def append(self, path: Path, line: str) -> None:
        """Add a line to a file, named from the root of this repository."""

    def build(self) -> Mapping[str, str]:
        """Build all images; return their references by the names of the deployables."""
