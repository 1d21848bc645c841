"""Pages that are written by hand but for one part, which stands between two marks."""

from pathlib import Path
from typing import Final

END: Final = "<!-- The end of what is generated. -->\n"


def replaced(page: Path, begin: str, part: str) -> str:
    """Return the text of a page, with `part` in the place of what stands after the mark `begin`."""
    before, _, rest = page.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(END)
    return f"{before}{begin}\n{part}\n{END}{after}"
