"""Text of other processes, made harmless."""

import re
from typing import Final

# C0 and C1 controls, which terminals obey; the characters that reorder a line (Unicode TR 36);
# halves of surrogate pairs, which UTF-8 cannot carry.
_HARMFUL: Final = re.compile("[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """Return the text with U+FFFD, the replacement character, for each control character."""
    if text.isprintable():  # the common case, and the cheaper check
        return text
    return _HARMFUL.sub("\N{REPLACEMENT CHARACTER}", text)
