"""The tables of the comparison are what was measured."""

from pathlib import Path

import peers


def test_tables_are_what_the_results_say() -> None:
    assert (
        Path("docs/peers.md").read_text("utf-8") == peers.page()
    ), "docs/peers.md is stale: run ./pants docs"
