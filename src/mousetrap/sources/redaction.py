"""Takes secrets out of texts, wherever a server may have repeated them."""

import json
from collections.abc import Collection
from typing import Final
from urllib.parse import quote, quote_plus

PART: Final = 6
"""The characters of a secret that are recognised: a text may be cut within one."""

MASK: Final = "***"


def redact(text: str, secrets: Collection[str]) -> str:
    """Return the text with MASK for each part of a secret that is at least PART long.

    A secret is also known as it is in a URL and in JSON; one that is shorter than PART, as a whole.
    """
    hidden = [False] * len(text)
    for form in {form for secret in secrets for form in _forms(secret)}:
        size = min(len(form), PART)
        parts = {form[start : start + size] for start in range(len(form) - size + 1)}
        for start in range(len(text) - size + 1):
            if text[start : start + size] in parts:
                hidden[start : start + size] = [True] * size
    shown = []
    for index, letter in enumerate(text):
        if not hidden[index]:
            shown.append(letter)
        elif index == 0 or not hidden[index - 1]:
            shown.append(MASK)
    return "".join(shown)


def _forms(secret: str) -> set[str]:
    return {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
    }
