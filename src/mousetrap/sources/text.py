"""Sanitises untrusted text for log lines, database columns and pages."""


def tidy(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`, with spaces for unprintable ones."""
    text = text[:limit]
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text.strip()
