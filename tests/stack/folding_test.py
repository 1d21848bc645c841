import io
import os
from pathlib import Path

import pytest

from mousetrap.stack.console import Console
from mousetrap.stack.folding import FoldedOutput

POSTGRES = b"""\
2026-11-30 07:38:48.993 UTC [21953] LOG:  starting PostgreSQL 18.6
2026-11-30 07:38:49.001 UTC [21953] FATAL:  could not write lock file: No space left on device
"""
VALKEY = b"""\
21902:M 30 Nov 2026 07:38:48.449 # WARNING Memory overcommit must be enabled!
21902:M 30 Nov 2026 07:38:48.500 * Ready to accept connections unix
21902:M 30 Nov 2026 07:38:49.000 # Write error on the append only file: No space left on device
21902:M 30 Nov 2026 07:38:50.000 # Valkey is now ready to exit, bye bye...
"""


@pytest.mark.parametrize(("name", "text"), [("postgres", POSTGRES), ("valkey", VALKEY)])
def test_lines_of_servers_are_kept_and_those_that_matter_are_shown(
    tmp_path: Path, name: str, text: bytes
) -> None:
    stream = io.StringIO()
    output = FoldedOutput(Console(stream, colour=False), tmp_path)
    descriptor = output.open(name)
    os.write(descriptor, text)
    os.close(descriptor)

    assert output.tail(name) == text.decode().strip()
    assert (tmp_path / f"{name}.log").read_bytes() == text
    [line] = stream.getvalue().splitlines()
    assert line.startswith(name)
    assert line.endswith("No space left on device")


def test_the_lines_before_a_restart_are_kept(tmp_path: Path) -> None:
    (tmp_path / "postgres.log").write_text("of an earlier run\n")
    output = FoldedOutput(Console(io.StringIO(), colour=False), tmp_path)
    for line in (b"first\n", b"second\n"):
        descriptor = output.open("postgres")
        os.write(descriptor, line)
        os.close(descriptor)
        output.tail("postgres")

    assert (tmp_path / "postgres.log").read_text() == "first\nsecond\n"
