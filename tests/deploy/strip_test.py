"""Images lose nothing of the shared libraries that a program needs."""

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import strip

[LIBRARY] = Path(msgspec.__file__).parent.glob("_core.*.so")


def test_a_stripped_library_is_smaller_and_works(tmp_path: Path) -> None:
    folder = tmp_path / "msgspec"
    shutil.copytree(LIBRARY.parent, folder)
    library = folder / LIBRARY.name

    strip.main(tmp_path)

    assert library.stat().st_size < LIBRARY.stat().st_size
    code = "import msgspec, sys; print(msgspec.__file__, msgspec.json.decode(b'[1]'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{folder / '__init__.py'} [1]\n"


def test_stripping_twice_changes_nothing() -> None:
    once = strip.strip(LIBRARY.read_bytes())

    assert strip.strip(once) == once


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"#!/bin/sh\n" * 100, b"\x7fELF\x01" * 50])
def test_what_is_no_such_library_stays_as_it_is(content: bytes) -> None:
    assert strip.strip(content) == content
