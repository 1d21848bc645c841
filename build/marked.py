"""Pages that are written by hand but for some parts, each of which stands between two marks."""

from pathlib import Path
from typing import Final

END: Final = "<!-- The end of what is generated. -->\n"


def replaced(page: Path, begin: str, part: str) -> str:
    """Return the text of a page, with `part` in the place of what stands after the mark `begin`."""
    return within(page.read_text("utf-8"), begin, part)


def within(text: str, begin: str, part: str) -> str:
    """Return a text with `part` in the place of what stands after the mark `begin`.

    Raises ValueError when there is no such mark.
    """
    before, mark, rest = text.partition(begin)
    if not mark:
        raise ValueError(f"the page has no mark {begin!r}: put it where the part is to stand")
    _, _, after = rest.partition(END)
    return f"{before}{begin}\n{part}\n{END}{after}"
