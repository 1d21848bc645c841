"""Pages with generated parts, each between two marks; the rest is written by hand."""

from pathlib import Path
from typing import Final

END: Final = "<!-- The end of what is generated. -->\n"


def replaced(page: Path, begin: str, part: str) -> str:
    """Return the text of a page with `part` between the mark `begin` and the next END.

    Raises ValueError when the page has no such mark.
    """
    before, mark, rest = page.read_text("utf-8").partition(begin)
    if not mark:
        raise ValueError(f"{page} has no mark {begin!r}: put it where the part belongs")
    _, _, after = rest.partition(END)
    return f"{before}{begin}\n{part}\n{END}{after}"
