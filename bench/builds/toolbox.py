"""The tools of the reference way: Poetry, and pip in the base of the images."""

import ast
import ensurepip
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.builds import engine

LOCK: Final = Path("3rdparty/poetry.lock")
OURS: Final = Path("deploy/images/Dockerfile")
BASE: Final = f"{engine.REGISTRY}/poetry/base"
# The official image of Python has pip; an image made of Debian's packages has none.
BASE_WITH_PIP: Final = """\
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore
RUN --mount=type=bind,target=/wheels \\
    python3.13 -m pip --version \\
    || PYTHONPATH=$(echo /wheels/pip-*.whl) python3.13 -m pip install --no-index /wheels/pip-*.whl
"""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Poetry's command, and the options of `docker build` by which pip finds the user's index."""

    poetry: Path
    secrets: Sequence[str]


def set_up(root: Path) -> Toolbox:
    """Install Poetry into a folder and build the base image, BASE."""
    venv = root / "venv"
    engine.run(sys.executable, "-m", "venv", venv)
    python = venv / "bin/python"
    engine.run(python, "-m", "pip", "install", "--require-hashes", "--requirement", LOCK)
    _build_base(root / "base")
    settings = _settings(engine.run(python, "-m", "pip", "config", "list"))
    return Toolbox(venv / "bin/poetry", _secrets(root, settings))


def versions(toolbox: Toolbox) -> Mapping[str, str]:
    """Return the versions of the tools."""
    pip = engine.run("docker", "run", "--rm", BASE, "python3.13", "-m", "pip", "--version")
    poetry = engine.run(toolbox.poetry, "--version")
    return {"pip": pip.split()[1], "poetry": poetry.split()[-1].rstrip(")\n")}


def _build_base(folder: Path) -> None:
    folder.mkdir()
    for wheel in (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"):
        shutil.copy(wheel, folder)
    (folder / "Dockerfile").write_text(BASE_WITH_PIP)
    python_image = os.environ.get("PYTHON_IMAGE") or _default(OURS.read_text())
    engine.run(
        "docker", "build", "--tag", BASE, "--build-arg", f"PYTHON_IMAGE={python_image}", folder
    )


def _default(dockerfile: str) -> str:
    found = re.search(r"^ARG PYTHON_IMAGE=(\S+)", dockerfile, re.MULTILINE)
    assert found is not None
    return found[1]


def _settings(listed: str) -> dict[str, str]:
    """Read `pip config list`; the environment, which comes first, overrides files."""
    pairs = [line.partition("=") for line in reversed(listed.splitlines())]
    return {key.rpartition(".")[2]: str(ast.literal_eval(value)) for key, _, value in pairs}


def _secrets(root: Path, settings: Mapping[str, str]) -> list[str]:
    """Pass the index to pip as build secrets, which stay out of images and caches."""
    told = [
        f"{key} = {settings[key]}"
        for key in ("index-url", "proxy", "trusted-host")
        if key in settings
    ]
    # Folders of this machine do not exist in a build.
    also = [it for it in settings.get("extra-index-url", "").split() if it.startswith("http")]
    if also:
        told.append(f"extra-index-url = {' '.join(also)}")
    secrets = []
    if "cert" in settings:
        told.append("cert = /run/secrets/certificates")
        secrets = ["--secret", f"id=certificates,src={settings['cert']}"]
    (root / "pip.conf").write_text("\n".join(["[global]", *told, ""]))
    return [*secrets, "--secret", f"id=pip,src={root / 'pip.conf'}"]
