"""Text from outside, made fit for a log line, a database column and a page."""

from typing import Final

MAX_NAME: Final = 200
"""The most characters of the name of a point."""


def tidy(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`, with a space for each that does not print."""
    text = text[:limit]
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text.strip()
