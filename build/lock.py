"""Compiles the hashed locks in 3rdparty/ from their inputs: `./pants lock`.

`--check` changes nothing and exits with 1 when a lock does not match its input; `--upgrade` takes
the newest versions that the inputs allow.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from uv import find_uv_bin

# Pants 2.17 and its Pex need this Python; everything else runs on ours.
PYTHONS = {"pants": "3.9", "pex": "3.9"}
PYTHON = "3.13"
# Of these only a program inside of the wheel is used, which needs none of the wheel's requirements.
WITHOUT_DEPENDENCIES = {"helm"}


def compile_lock(source: Path, lock: Path, *, upgrade: bool) -> None:
    """Lock `source` into `lock`, keeping the versions that `lock` already names."""
    command = [
        find_uv_bin(),
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--generate-hashes",
        "--no-header",
        f"--python-version={PYTHONS.get(source.stem, PYTHON)}",
        f"--output-file={lock}",
        *(["--upgrade"] if upgrade else []),
        *(["--no-deps"] if source.stem in WITHOUT_DEPENDENCIES else []),
        source.name,
    ]
    subprocess.run(command, cwd=source.parent, check=True)  # noqa: S603 - constant arguments only


def fits(source: Path) -> bool:
    """Tell whether the lock matches its input."""
    lock = source.with_suffix(".lock")
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder, lock.name)
        shutil.copy(lock, again)
        compile_lock(source, again, upgrade=False)
        return again.read_bytes() == lock.read_bytes()


def main() -> int:
    """Lock or check all inputs in 3rdparty/ of the current folder."""
    parser = argparse.ArgumentParser(prog="./pants lock", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 on a mismatch")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    options = parser.parse_args()

    sources = sorted(Path("3rdparty").resolve().glob("*.in"))
    if options.check:
        stale = [source.stem for source in sources if not fits(source)]
        for name in stale:
            print(f"3rdparty/{name}.lock does not match {name}.in: run ./pants lock")  # noqa: T201
        return 1 if stale else 0
    for source in sources:
        compile_lock(source, source.with_suffix(".lock"), upgrade=options.upgrade)
    return 0


if __name__ == "__main__":
    sys.exit(main())
