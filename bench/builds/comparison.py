"""Compares the ways to build, in each state of the caches."""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.builds import engine, toolbox
from bench.builds.engine import Image, Registry
from bench.builds.monorepo import Monorepo
from bench.builds.projects import RECIPES, Projects
from bench.builds.way import Way

COLD: Final = "first build, all caches empty"
AGAIN: Final = "the same, on another machine"
# The files that a line is added to, by the name of the case.
CHANGES: Final[Mapping[str, Path | None]] = {
    "nothing changed": None,
    "a line in a test": Path("tests/support/batches.py"),
    "a line in sources/places.py": Path("src/mousetrap/sources/places.py"),
    "a line in geo/centroid.py": Path("src/mousetrap/geo/centroid.py"),
    "a line in geo/point.py": Path("src/mousetrap/geo/point.py"),
}


@dataclass(frozen=True, slots=True)
class Round:
    """A build: the changed images, and the bytes that a push would send."""

    seconds: float
    images: Sequence[str]
    layers: int
    bytes: int


type Rounds = Mapping[str, Mapping[str, Sequence[Round]]]


class Side:
    """A way, and the registry that it pushes to."""

    def __init__(self, way: Way, base: Image) -> None:
        self.way = way
        self._registry = Registry(base)
        self._images: Mapping[str, Image] = {}

    def build(self, case: str) -> Round:
        """Build the images, and push changed ones."""
        sys.stderr.write(f"bench: {case}: {self.way.name}\n")
        began = time.perf_counter()
        references = self.way.build()
        seconds = time.perf_counter() - began
        images = engine.look(references)
        changed = [name for name in images if images[name].id != self._id(name)]
        self._images = images
        push = self._registry.push([images[name] for name in changed])
        return Round(round(seconds, 2), changed, push.layers, push.bytes)

    def start(self) -> None:
        """Check that the images hold everything that their processes import."""
        for image in self._images.values():
            engine.run("docker", "run", "--rm", "--network=none", image.reference, "--help")

    def _id(self, name: str) -> str | None:
        return self._images[name].id if name in self._images else None


def perform(root: Path, count: int) -> tuple[Mapping[str, str], Rounds]:
    """Compare the ways, making each change `count` times.

    Returns the versions of the tools, and all rounds by case and way.
    """
    docker = engine.version()
    monorepo = Monorepo(root / "mousetrap")
    try:
        tools = toolbox.set_up(root)
        base = engine.look({"base": toolbox.BASE})["base"]
        ways: list[Way] = [monorepo]
        for name, recipe in RECIPES.items():
            ways.append(Projects(name, root / name, recipe, monorepo.pex_files, tools))
        found = _compare([Side(way, base) for way in ways], count)
        return {"docker": docker, **toolbox.versions(tools)}, found
    finally:
        monorepo.end()
        engine.remove()


def _compare(sides: Sequence[Side], count: int) -> Rounds:
    found: dict[str, dict[str, list[Round]]] = {}
    for case in (COLD, AGAIN):
        # Once is enough: no way can use a layer that another way has built.
        engine.forget()
        found[case] = {}
        for side in sides:
            side.way.forget()
            found[case][side.way.name] = [side.build(case)]
            side.start()
    for case, path in CHANGES.items():
        found[case] = {side.way.name: [] for side in sides}
        for number in range(count):
            for side in sides[:: -1 if number % 2 else 1]:
                if path is not None:
                    side.way.append(path, f"PROBE_{number} = {number}")
                found[case][side.way.name].append(side.build(case))
    return found
