"""Generates docs/images.md from the PEX files in dist/: `./pants docs`."""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from mousetrap.settings.process import DEPLOYABLES

PAGE: Final = Path("docs/images.md")

HEAD: Final = """\
# The content of each image

Generated from the PEX files by `./pants docs`; do not edit. An image holds only the files that its
process imports, which Pants infers from the code. A change therefore rebuilds at most the images
that are ticked here; `.ci/images` proves it.
"""


def page(files: Mapping[str, Path]) -> str:
    """Return the text of the page, given the PEX file of each deployable."""
    libraries = {name: _libraries(files[name]) for name in DEPLOYABLES}
    packages = {name: _packages(files[name]) for name in DEPLOYABLES}
    return "".join(
        (
            HEAD,
            "\n## Ours\n\n",
            *_table("library", libraries),
            "\n## Third-party packages\n\n",
            *_table("package", packages),
        )
    )


def _table(kind: str, held: Mapping[str, frozenset[str]]) -> Iterator[str]:
    yield f"| {kind} | {' | '.join(f'`{name}`' for name in held)} |\n"
    yield f"| --- |{' :-: |' * len(held)}\n"
    for thing in sorted(frozenset().union(*held.values())):
        marks = ("✓" if thing in things else "" for things in held.values())
        yield f"| `{thing}` | {' | '.join(marks)} |\n"


def _libraries(pex: Path) -> frozenset[str]:
    with zipfile.ZipFile(pex) as archive:
        found = (re.match(r"mousetrap/(\w+)/.", name) for name in archive.namelist())
        return frozenset(match[1] for match in found if match) - {*DEPLOYABLES}


def _packages(pex: Path) -> frozenset[str]:
    with zipfile.ZipFile(pex) as archive:
        wheels = json.loads(archive.read("PEX-INFO"))["distributions"]
    return frozenset(" ".join(wheel.split("-")[:2]) for wheel in wheels)


def write() -> None:
    """Write the page; raises SystemExit when a PEX file is missing."""
    files = {name: Path("dist", f"{name}.pex") for name in DEPLOYABLES}
    missing = [str(file) for file in files.values() if not file.exists()]
    if missing:
        raise SystemExit(f"there is no {missing[0]}: run ./pants package-pex :: first")
    PAGE.write_text(page(files), "utf-8")
