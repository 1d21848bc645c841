"""Reads the `Link` header of an answer (RFC 8288)."""

import re
from typing import Final

import httpx2

_WORD: Final = r"[^\s\";,=<>]+"
_PARAMETER: Final = rf'\s*;\s*(?:({_WORD})\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))?)?)?'
_LINK: Final = re.compile(rf"[\s,]*<([^>]*)>((?:{_PARAMETER})*)")
_PARAMETERS: Final = re.compile(_PARAMETER)


def next_link(headers: httpx2.Headers) -> str | None:
    """Return the target of the link to the next page, which may be relative; None without one.

    A link with another context (`anchor`) is not the answer's own (section 3.2), and one to a page
    for people (`type="text/html"`) is not of the feed.
    """
    for value in headers.get_list("link"):
        offset = 0
        while link := _LINK.match(value, offset):
            offset = link.end()
            parameters = _read(link[2])
            if (
                "next" in parameters.get("rel", "").lower().split()
                and "anchor" not in parameters
                and parameters.get("type", "").lower() != "text/html"
            ):
                return link[1].strip()
    return None


def _read(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, quoted, plain in _PARAMETERS.findall(text):
        # The first of its name counts (section 3.3).
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or plain)
    return found
