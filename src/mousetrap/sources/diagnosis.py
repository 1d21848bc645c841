"""Says what an answer is that is not the JSON that its source should give."""

import re
from typing import Any, Final

import msgspec

from mousetrap.sources.errors import (
    MalformedError,
    RefusedError,
    ServerTroubleError,
    SourceError,
    TruncatedError,
    WrongCharsetError,
)
from mousetrap.sources.text import tidy

EXCERPT: Final = 20
HEAD: Final = 1000
MAX_COMPLAINT: Final = 64 * 1024
MAX_QUOTE: Final = 300
TOO_MANY_REQUESTS: Final = 429
SERVER_ERRORS: Final = range(500, 600)

_MARKS: Final = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
HTML: Final = re.compile(rb"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_TEXTS: Final = ("message", "text", "description", "detail", "title", "error", "reason", "code")
_CODES: Final = ("code", "status", "statusCode", "status_code")
_LISTS: Final = ("errors", "exceptions")
_GEOJSON: Final = {"features", "geometry", "coordinates"}

# An escape, together with the one behind it when both are a pair.
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?"
    rb"|u[dD][c-fC-F][0-9a-fA-F]{2}|.)",
    re.DOTALL,
)
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def mend_surrogates(body: bytearray) -> bool:
    """Replace escapes of halves of surrogate pairs by that of U+FFFD; tell whether there were any.

    RFC 8259 section 8.2: they come from texts that were cut, and readers differ on them.
    """
    if _SURROGATE.search(body) is None:
        return False
    mended = False
    for found in _ESCAPE.finditer(body):
        if found.end() - found.start() == len(b"\\ud83d"):  # a pair is longer
            body[found.start() : found.end()] = b"\\ufffd"
            mended = True
    return mended


def not_json(body: bytearray, error: msgspec.DecodeError, shift: int = 0) -> SourceError:
    """Return why an answer cannot be decoded; `body` may be a part, whose end is `shift` before."""
    if not body or body.isspace():
        return TruncatedError("the answer is empty: check the url, or try again")
    head = bytes(body[:HEAD])
    charset = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    if charset is None and b"\0" in head[:4]:
        charset = "UTF-32" if b"\0\0" in head[:4] else "UTF-16"
    if charset is not None:
        return WrongCharsetError(
            f"the answer is in {charset}, and JSON is in UTF-8 (RFC 8259 section 8.1): ask the"
            " server for UTF-8",
            excerpt=head,
        )
    if head.lstrip().startswith(b"<"):
        language = "HTML, such as a page for people" if HTML.search(head) else "XML"
        return MalformedError(
            f"the answer is not JSON but {language}: correct the url, or ask the server for JSON",
            excerpt=head,
        )
    offset = re.search(r"\(byte (\d+)\)", str(error))
    if offset is None:
        return TruncatedError("the answer ends in the middle of the JSON: try again")
    start = max(int(offset[1]) - EXCERPT, 0)
    excerpt = bytes(body[start : start + 2 * EXCERPT])
    reason = str(error).replace(offset[0], f"(byte {int(offset[1]) + shift})")
    return MalformedError(f"the answer is not JSON: {reason}: correct the feed", excerpt=excerpt)


def complaint(body: bytearray) -> SourceError | None:
    """Return the error that a JSON answer is about, in the words of the server; None for others.

    Servers such as ArcGIS say with status 200 that they have failed. An error of theirs that may
    pass (429, 5xx) is retryable.
    """
    if len(body) > MAX_COMPLAINT:
        return None
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    found = _error(document)
    quote = tidy(_words(found), MAX_QUOTE)
    if not quote:
        return None
    code = _code(found) or _code(document)
    shown = "" if code is None else f" (code {code})"
    message = f'the server answers with an error{shown}: "{quote}"'
    if code is not None and (code in SERVER_ERRORS or code == TOO_MANY_REQUESTS):
        return ServerTroubleError(f"{message}: try again later")
    return RefusedError(f"{message}: correct the url of this source, or what it asks for")


def _error(document: dict[str, Any]) -> Any:
    """Return the part of a document that tells of an error; None where there is none."""
    if document.get("error"):
        error = document["error"]
        flat = error is True or (isinstance(error, str) and _words(document.get("message")))
        return {**document, "error": None} if flat else error
    for name in _LISTS:
        if document.get(name):
            return document[name]
    said = any(name in document for name in _CODES) and not _GEOJSON & document.keys()
    return document if said and any(document.get(name) for name in _TEXTS[:5]) else None


def _words(found: Any) -> str:
    """Return the first text of an error, and its details."""
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return _words(found[0]) if found and not isinstance(found[0], list) else ""
    if not isinstance(found, dict):
        return ""
    texts = [found[name] for name in _TEXTS if isinstance(found.get(name), str) and found[name]]
    details = found.get("details")
    more = [it for it in details if isinstance(it, str)] if isinstance(details, list) else []
    return ": ".join(dict.fromkeys([*texts[:1], *more[:1]]))


def _code(found: Any) -> int | None:
    if isinstance(found, list):
        found = found[0] if found else None
    if not isinstance(found, dict):
        return None
    codes = (str(found[name]) for name in _CODES if isinstance(found.get(name), int | str))
    return next((int(code) for code in codes if re.fullmatch("[0-9]{1,6}", code)), None)
