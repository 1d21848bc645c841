"""Checks of `sources.toml` that collect all of its errors, in words for people."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, get_args

import msgspec
from msgspec import NODEFAULT
from msgspec.structs import FieldInfo, fields

from mousetrap.settings import environment
from mousetrap.settings.errors import SettingsError
from mousetrap.settings.source_kinds import KINDS, SourceSettings

_BY_NAME: Final = {str(kind.__struct_config__.tag): kind for kind in KINDS}
_WORDS: Final = {"object": "table", "str": "text", "int": "whole number", "float": "number"}
"""The words of TOML and of people for types of msgspec."""
_TYPES: Final = re.compile(rf"`((?:{'|'.join(_WORDS)})(?: \| \w+)*)`")


class Checked:
    """Collects the errors of one file."""

    def __init__(self) -> None:
        self._errors: list[str] = []

    def add(self, where: str, error: str) -> None:
        """Add an error, and where in the file it is."""
        self._errors.append(f"{where}: {error}")

    def require(self, where: str) -> None:
        """Raise SettingsError with all errors, if there are any."""
        if len(self._errors) == 1:
            raise SettingsError(f"{where}: {self._errors[0]}")
        if self._errors:
            listed = "\n".join(f"  {error}" for error in self._errors)
            raise SettingsError(f"{where} has {len(self._errors)} errors:\n{listed}")

    def member(self, table: Mapping[str, Any], key: str, kind: Any) -> Any:
        """Return a member of the file that must be there, None if it is not or is wrong."""
        if key in table:
            return self.value(table[key], kind, key)
        self.add(key, f"it is missing: {environment.description(kind)}")
        return None

    def value(self, value: object, kind: Any, where: str) -> Any:
        """Return a converted value, None if it is wrong."""
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            self.add(where, explained(error, kind))
            return None

    def entry(self, entry: object, where: str) -> Any:
        """Return the settings of one source, None if there is an error in them."""
        if not isinstance(entry, dict):
            self.add(where, "a source is a table with a `kind`")
            return None
        kind = self._kind(entry, where)
        before = len(self._errors)
        if kind is None:
            return None
        known = {field.name: field for field in fields(kind)}
        for key in entry.keys() - known.keys() - {"kind"}:
            others = sorted(it for it, that in _BY_NAME.items() if key in that.__struct_fields__)
            meant = nearest(key, known, others=others)
            self.add(f"{where}: {key}", f"unknown key of the kind {entry['kind']}: {meant}")
        for key, field in known.items():
            if key in entry:
                self.value(entry[key], field.type, f"{where}: {key}")
            elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
                self.add(f"{where}: {key}", f"it is missing: {described(field)}")
        self._errors[before:] = sorted(self._errors[before:])
        return self.value(entry, kind, where) if len(self._errors) == before else None

    def _kind(self, entry: Mapping[str, Any], where: str) -> type[SourceSettings] | None:
        name = entry.get("kind")
        listed = f"one of {', '.join(_BY_NAME)}"
        if isinstance(name, str) and name in _BY_NAME:
            return _BY_NAME[name]
        if name is None:
            self.add(f"{where}: kind", f"it is missing: {listed}")
        elif isinstance(name, str):
            self.add(
                f"{where}: kind", f"there is no kind {name!r}: {nearest(name, _BY_NAME, listed)}"
            )
        else:
            self.add(f"{where}: kind", f"it has to be a text: {listed}")
        return None


def nearest(
    name: str, known: Iterable[str], otherwise: str = "remove it", *, others: Iterable[str] = ()
) -> str:
    """Return the advice for an unknown name: the nearest known one, or where it is known."""
    close = difflib.get_close_matches(name, list(known), n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"it belongs to {', '.join(others)}" if others else otherwise


def explained(error: msgspec.ValidationError, kind: Any) -> str:
    """Return an error of msgspec for people: without patterns, and with what is expected."""
    reason, _, location = str(error).partition(" - at ")
    at = location.removeprefix("`key` in ").strip("`").removeprefix("$").removeprefix(".")
    if "matching regex" in reason:
        reason = "it has the wrong form"
    reason = _TYPES.sub(_plain, reason).replace("Object contains unknown field", "unknown key")
    reason = reason[:1].lower() + reason[1:]
    meaning = environment.description(kind)
    told = ": ".join(filter(None, (at, reason)))
    return f"{told}; it is {meaning}" if meaning else told


def _plain(found: re.Match[str]) -> str:
    words = [_WORDS.get(word, word) for word in found[1].split(" | ") if word != "null"]
    return " or ".join(dict.fromkeys(words))


def described(field: FieldInfo) -> str:
    """Return what a key means."""
    return environment.description(field.type) or str(get_args(field.type))
