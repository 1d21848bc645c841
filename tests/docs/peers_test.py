"""The tables of the comparison are what was measured, and its page says how to measure again."""

import peers


def test_tables_are_what_the_results_say() -> None:
    assert peers.PAGE.read_text("utf-8") == peers.page(), f"{peers.PAGE} is stale: run ./pants docs"


def test_the_command_writes_the_results_that_the_tables_are_made_of() -> None:
    assert f"./pants peers --json {peers.RESULTS} " in peers.PAGE.read_text("utf-8")
