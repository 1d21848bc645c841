"""The size of the images, beside their base."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# The most bytes that an image may add to its base.
LIMITS: Final = {
    "api": 95_000_000,
    "fetch-worker": 60_000_000,
    "process-worker": 60_000_000,
    "admin": 80_000_000,
}


@dataclass(frozen=True, slots=True)
class Row:
    """The layers of one image, in bytes, uncompressed."""

    name: str
    base: int
    dependencies: int
    sources: int
    limit: int

    @property
    def ours(self) -> int:
        """The bytes on top of the base."""
        return self.dependencies + self.sources


def measure() -> list[Row]:
    """Measure the images that `./pants package ::` built."""
    return [_row(name, limit) for name, limit in LIMITS.items()]


def flaws(rows: Sequence[Row]) -> list[str]:
    """Return the images that exceed their limit."""
    return [
        f"the {row.name} image adds {row.ours} bytes to its base, the limit is {row.limit}"
        for row in rows
        if row.ours > row.limit
    ]


def _row(name: str, limit: int) -> Row:
    form = '{"by": {{json .CreatedBy}}, "size": {{json .Size}}}'
    command = ["docker", "history", "--no-trunc", "--human=false", f"--format={form}"]
    done = subprocess.run(
        [*command, f"mousetrap/{name}"], capture_output=True, text=True, timeout=60, check=True
    )
    layers = [json.loads(line) for line in done.stdout.splitlines()]  # the newest first
    sizes = [int(layer["size"]) for layer in layers]
    sources, dependencies = (
        number for number, layer in enumerate(layers) if layer["by"].startswith("COPY /app /app")
    )
    return Row(name, sum(sizes[dependencies + 1 :]), sizes[dependencies], sizes[sources], limit)
