"""The tables of the comparison are what was measured."""

import peers


def test_tables_are_what_the_results_say() -> None:
    assert peers.PAGE.read_text("utf-8") == peers.page(), f"{peers.PAGE} is stale: run ./pants docs"
