"""Makes text from outside storable in Postgres."""

import re
from typing import Final

# Neither NUL nor half of a surrogate pair can be in a text of Postgres.
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """Return the text with U+FFFD, the replacement character, for what cannot be stored."""
    if text.isprintable():  # the common case, and the cheaper check
        return text
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def is_storable(text: str) -> bool:
    """Return whether the text can be stored as it is."""
    return _UNSTORABLE.search(text) is None
