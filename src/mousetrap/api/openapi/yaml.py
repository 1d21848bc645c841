"""YAML 1.2 of a document: blocks of objects and lists, whose texts are those of JSON."""

import json
from collections.abc import Iterator
from typing import Any


def encode(value: Any) -> bytes:
    """Return the YAML of an object or list of what JSON can have, in UTF-8."""
    return "".join(f"{line}\n" for line in _lines(value, "")).encode()


def _lines(value: Any, margin: str) -> Iterator[str]:
    marked = (
        ((f"{_text(name)}:", it) for name, it in value.items())
        if isinstance(value, dict)
        else (("-", it) for it in value)
    )
    for mark, it in marked:
        if it and isinstance(it, dict | list):
            yield f"{margin}{mark}"
            yield from _lines(it, f"{margin}  ")
        else:
            yield f"{margin}{mark} {_text(it)}"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
