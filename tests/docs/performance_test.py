"""The generated tables agree with the figures they are generated from."""

from pathlib import Path

import marked
import performance
import pytest

PAGES = performance.pages()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_tables_agree_with_the_results(page: Path) -> None:
    assert page.read_text("utf-8") == PAGES[page], f"{page} is stale: run ./pants docs"


def test_only_the_part_between_the_marks_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n<!-- it -->\nold\n{marked.END}after\n", "utf-8")

    assert (
        marked.replaced(page, "<!-- it -->\n", "new\n")
        == f"before\n<!-- it -->\n\nnew\n\n{marked.END}after\n"
    )


def test_a_page_without_the_mark_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a page\n", "utf-8")

    with pytest.raises(ValueError, match="no mark"):
        marked.replaced(page, "<!-- it -->\n", "new\n")
