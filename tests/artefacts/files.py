"""The PEX files that were built for these tests."""

import sys
from pathlib import Path

# The interpreter itself, not the virtual environment that the tests run in.
PYTHON = str(Path(sys.base_prefix, "bin", "python3.13"))


def pex(deployable: str) -> Path:
    """Return the path of a deployable's file."""
    return Path(f"{deployable}.pex").resolve()


def sbom(deployable: str) -> Path:
    """Return the path of the bill of materials of a deployable."""
    return Path(f"{deployable}.cdx.json").resolve()
