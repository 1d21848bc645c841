"""The tables of the figures are what was measured."""

from pathlib import Path

import marked
import performance
import pytest


def test_tables_are_what_the_results_say() -> None:
    assert (
        Path("docs/performance.md").read_text("utf-8") == performance.page()
    ), "docs/performance.md is stale: run ./pants docs"


def test_only_what_stands_between_the_marks_is_made_anew() -> None:
    page = f"before\n<!-- it -->\nold\n{marked.END}after\n"

    assert (
        marked.within(page, "<!-- it -->\n", "new\n")
        == f"before\n<!-- it -->\n\nnew\n\n{marked.END}after\n"
    )


def test_a_page_without_the_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="no mark"):
        marked.within("a page\n", "<!-- it -->\n", "new\n")
