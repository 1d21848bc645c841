"""Sanitises untrusted text for log lines, database columns and pages."""

import re
from typing import Final

_BREAKS: Final = re.compile("[\t-\r\x85]+")

# C0 and C1 controls, which terminals obey; the characters that reorder a line (Unicode TR 36);
# halves of surrogate pairs, which UTF-8 cannot carry. `messages.text` refuses the same ones.
_HARMFUL: Final = re.compile("[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def tidy(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text` that are safe to show and to store.

    Tabs and line breaks become a space. Other controls, overrides of the direction of writing and
    halves of surrogate pairs are dropped. All else stays as it is, such as the joiners of Persian
    and of emoji, no-break and ideographic spaces, and characters newer than this Python.
    """
    text = text[:limit]
    if not text.isprintable():  # the common case is the cheaper check
        text = _HARMFUL.sub("", _BREAKS.sub(" ", text))
    return text.strip(" ")
