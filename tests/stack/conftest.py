from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stack.processes import Program

Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start Python programs that do not outlive the test."""
    with ExitStack() as stack:

        def begin(
            *arguments: str, env: dict[str, str] | None = None, blocked: bool = False
        ) -> Program:
            program = Program(*arguments, cwd=tmp_path, env=env, blocked=blocked)
            stack.callback(program.close)
            return program

        yield begin
