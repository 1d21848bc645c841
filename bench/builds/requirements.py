"""The content of a deployable, from its PEX file and from the lock."""

import json
import re
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

NAME = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Needs:
    """The packages of a deployable, and the requirements of their modules, with versions."""

    packages: Collection[str]
    requirements: Sequence[str]

    @classmethod
    def of(cls, pex: Path) -> Self:
        """Read a PEX file."""
        with zipfile.ZipFile(pex) as archive:
            paths = [Path(name).parts for name in archive.namelist()]
            requirements = json.loads(archive.read("PEX-INFO"))["requirements"]
        packages = {path[1] for path in paths if path[0] == "mousetrap" and len(path) > 2}
        return cls(packages, requirements)


def closure(lock: str, requirements: Sequence[str]) -> str:
    """Return the part of uv's lock for some requirements and their dependencies."""
    entries: dict[str, list[str]] = {}
    for line in lock.splitlines():
        if name := NAME.match(line):
            entry = entries.setdefault(name[0], [])
        entry.append(line)
    wanted = {name[0] for it in requirements if (name := NAME.match(it))}
    while more := {it for it in entries if wanted & _askers(entries[it])} - wanted:
        wanted |= more
    return "".join(f"{line}\n" for it in entries if it in wanted for line in entries[it])


def _askers(entry: Sequence[str]) -> set[str]:
    """Return the dependents of a package, from the comments behind it."""
    return {line.strip(" #").removeprefix("via ") for line in entry if line.startswith("    #")}
