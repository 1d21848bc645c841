"""The reference way: three Poetry projects, each with its wheel and its Dockerfile."""

import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bench.builds import engine
from bench.builds.requirements import Needs, closure
from bench.builds.toolbox import BASE, Toolbox
from bench.builds.way import DEPLOYABLES

PACKAGES: Final = Path("src/mousetrap")
TESTS: Final = Path("tests")
LOCK: Final = Path("3rdparty/default.lock")

PROJECT: Final = """\
[project]
name = "mousetrap-{name}"
version = "1.0.0"
requires-python = ">=3.13,<3.14"
dependencies = {dependencies}

[tool.poetry]
packages = [{{ include = "mousetrap", from = "src" }}]

[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
"""

PIP: Final = """\
RUN --mount=type=secret,id=pip --mount=type=secret,id=certificates \\
    PIP_CONFIG_FILE=/run/secrets/pip python3.13 -m pip install --no-cache-dir --no-deps \\
    --require-hashes --requirement /tmp/requirements.txt"""

# As in a tutorial: everything is installed in one layer.
PLAIN: Final = f"""\
FROM {BASE}
COPY requirements.txt dist/*.whl /tmp/
{PIP} \\
    && python3.13 -m pip install --no-cache-dir --no-deps --no-index /tmp/*.whl
"""

# As in a good one: rarely changed layers are below the others, and no wheel is left behind.
LAYERED: Final = f"""\
FROM {BASE}
COPY requirements.txt /tmp/
{PIP}
RUN --mount=type=bind,source=dist,target=/dist \\
    python3.13 -m pip install --no-cache-dir --no-deps --no-index /dist/*.whl
"""

RECIPES: Final = {"plain": PLAIN, "layered": LAYERED}

PROCESS: Final = """\
ENV HOME=/tmp PYTHONUNBUFFERED=1
EXPOSE 8000
USER 65532:65532
HEALTHCHECK CMD ["python3.13", "-m", "mousetrap.telemetry.check", "8000"]
ENTRYPOINT ["python3.13", "-m", "mousetrap.{name}"]
"""


type PexFiles = Callable[[], Mapping[str, Path]]


class Projects:
    """A project for each deployable, with a copy of all packages that it needs.

    Its PEX file, from `pex_files`, says what it needs.
    """

    def __init__(
        self, name: str, root: Path, recipe: str, pex_files: PexFiles, toolbox: Toolbox
    ) -> None:
        self.name = name
        self._root = root
        self._recipe = recipe
        self._pex_files = pex_files
        self._toolbox = toolbox
        self._builds = 0

    def forget(self) -> None:
        """Start from scratch with the sources of this repository."""
        shutil.rmtree(self._root, ignore_errors=True)
        for name, pex in self._pex_files().items():
            self._lay_out(name, Needs.of(pex))

    def append(self, path: Path, line: str) -> None:
        """Add a line to each copy of a file."""
        for name in DEPLOYABLES:
            if (copy := self._root / name / path).exists():
                with copy.open("a") as file:
                    file.write(f"\n{line}\n")

    def build(self) -> Mapping[str, str]:
        """Build wheels and images, all projects at once."""
        self._builds += 1
        with ThreadPoolExecutor(len(DEPLOYABLES)) as pool:
            return dict(zip(DEPLOYABLES, pool.map(self._build, DEPLOYABLES), strict=True))

    def _lay_out(self, name: str, needs: Needs) -> None:
        project = self._root / name
        leave = shutil.ignore_patterns("BUILD", "__pycache__")
        for package in needs.packages:
            shutil.copytree(PACKAGES / package, project / PACKAGES / package, ignore=leave)
            if (TESTS / package).exists():
                shutil.copytree(TESTS / package, project / TESTS / package, ignore=leave)
        shutil.copy(PACKAGES / "__init__.py", project / PACKAGES)
        text = PROJECT.format(name=name, dependencies=list(needs.requirements))
        (project / "pyproject.toml").write_text(text)
        (project / "requirements.txt").write_text(closure(LOCK.read_text(), needs.requirements))
        (project / "Dockerfile").write_text(self._recipe + PROCESS.format(name=name))

    def _build(self, name: str) -> str:
        project = self._root / name
        reference = f"{engine.REGISTRY}/{self.name}/{name}:{self._builds}"
        settings = {
            "POETRY_CACHE_DIR": str(self._root / "cache"),
            "POETRY_VIRTUALENVS_CREATE": "false",
        }
        build = (self._toolbox.poetry, "build", "--quiet", "--format=wheel")
        engine.run(*build, cwd=project, env=os.environ | settings)
        secrets = self._toolbox.secrets
        engine.run("docker", "build", "--tag", reference, *secrets, ".", cwd=project)
        return reference
