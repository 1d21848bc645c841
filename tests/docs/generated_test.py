"""The generated pages are what the code says."""

from pathlib import Path

import command_line
import configuration
import failures


def test_command_line_page_is_what_the_commands_say() -> None:
    assert (
        Path("docs/command-line.md").read_text("utf-8") == command_line.page()
    ), "docs/command-line.md is stale: run ./pants docs"


def test_configuration_page_is_what_the_settings_say() -> None:
    assert (
        Path("docs/configuration.md").read_text("utf-8") == configuration.page()
    ), "docs/configuration.md is stale: run ./pants docs"


def test_failure_matrix_is_what_the_runs_say() -> None:
    assert (
        Path("docs/operations/failure-matrix.md").read_text("utf-8") == failures.page()
    ), "docs/operations/failure-matrix.md is stale: run ./pants docs"
