"""Sanitises untrusted text for log lines, database columns and pages."""

from typing import Final

MAX_NAME: Final = 200
"""The maximum number of characters in the name of a point."""


def tidy(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`, with spaces for unprintable ones."""
    text = text[:limit]
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text.strip()
