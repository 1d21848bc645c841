"""Generates the tables of keys in docs/sources.md from the settings: `./pants docs`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import marked
import msgspec

from mousetrap.settings import environment
from mousetrap.settings.source_kinds import (
    KINDS,
    DocumentSettings,
    HttpSettings,
    SourceSettings,
)

PAGE: Final = Path("docs/sources.md")
BEGIN: Final = "<!-- Generated from the settings by `./pants docs`; do not edit. -->\n"
SHARED: Final[dict[type[SourceSettings], str]] = {
    SourceSettings: "Every kind",
    DocumentSettings: "Kinds that read documents: all but `faker`",
    HttpSettings: "Kinds that ask over HTTP: all but `faker` and `file`",
}


def page() -> str:
    """Return the text of the page."""
    return marked.replaced(PAGE, BEGIN, "\n".join(_sections()))


def _sections() -> Iterator[str]:
    for settings, title in SHARED.items():
        yield from _table(title, settings)
    for kind in KINDS:
        yield from _table(f"`{kind.__struct_config__.tag}`", kind)


def _table(title: str, settings: type[msgspec.Struct]) -> Iterator[str]:
    yield f"### {title}\n"
    if title.startswith("`"):
        yield f"{str(settings.__doc__).partition('\n')[0]}\n"
    known = _defaults(settings.__base__)
    yield "| key | default | meaning |"
    yield "| --- | --- | --- |"
    for field in msgspec.structs.fields(settings):
        if field.name not in known or known[field.name] != _default(field):
            meaning = environment.description(field.type).replace("|", "\\|")
            yield f"| `{field.name}` | {_default(field)} | {meaning} |"
    yield ""


def _defaults(settings: Any) -> dict[str, str]:
    if settings is msgspec.Struct:
        return {}
    return {field.name: _default(field) for field in msgspec.structs.fields(settings)}


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    if field.default is msgspec.NODEFAULT or field.default is None:
        return ""
    return f"`{msgspec.json.encode(field.default).decode()}`"
