"""The index of the how-to guides."""

import re
from pathlib import Path

FOLDER = Path("docs/how-to")


def test_index_has_every_guide_and_all_are_there() -> None:
    linked = re.findall(r"\]\(([^)#]+)\)", (FOLDER / "README.md").read_text("utf-8"))

    assert all((FOLDER / page).exists() for page in linked)
    assert {page.name for page in FOLDER.glob("*.md")} - {"README.md"} <= set(linked)
