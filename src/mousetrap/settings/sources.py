"""`sources.toml`: the sources, configured by the operator and never by a caller."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from mousetrap.settings import environment
from mousetrap.settings.errors import SettingsError
from mousetrap.settings.source_kinds import KINDS, AnyKind, FileSettings, SourceSettings

SourceName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[a-z0-9][a-z0-9_-]*\Z",
        description="made of lower-case letters, digits, - and _",
    ),
]
SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Sources(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configured sources by name, and the name of the default source."""

    default: SourceName
    sources: Annotated[dict[SourceName, SourceSettings], Meta(min_length=1, max_length=1000)]

    def schedules(self) -> dict[str, float]:
        """Return the period in seconds of each source that has a schedule."""
        return {
            name: float(source.every[:-1]) * SECONDS[source.every[-1]]
            for name, source in self.sources.items()
            if source.every is not None
        }


class _File(Struct, kw_only=True, forbid_unknown_fields=True):
    """`Sources` with unchecked entries, so that an error can name the entry."""

    default: SourceName
    sources: Annotated[dict[str, Any], Meta(min_length=1, max_length=1000)]


class _Name(Struct):
    """The name of one entry."""

    name: SourceName


def load(path: str | Path) -> Sources:
    """Read `sources.toml`; the paths of files in it become absolute.

    Raises SettingsError, whose message names the file, the entry and the expected value.
    """
    try:
        raw = tomllib.loads(Path(path).read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the sources file {path} cannot be read: {error}") from error
    return of(raw, Path(path).absolute().parent, f"the sources file {path}")


def of(raw: object, folder: Path, where: str) -> Sources:
    """Return the sources of a decoded file in the `folder`, which `where` names in messages.

    Raises SettingsError.
    """
    file: _File = _convert(raw, _File, where)
    sources: dict[str, SourceSettings] = {}
    for name, entry in file.sources.items():
        _convert({"name": name}, _Name, f"{where}: [sources] {name!r}")
        source = _convert(entry, AnyKind, f"{where}: [sources.{name}]")
        if isinstance(source, FileSettings):
            source = msgspec.structs.replace(source, path=str(folder / source.path))
        sources[name] = source
    if file.default not in sources:
        raise SettingsError(f"{where} names {file.default!r} as default: add it to [sources]")
    return Sources(default=file.default, sources=sources)


def _convert(raw: object, kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        key = place.removeprefix("`key` in ").strip("`").removeprefix("$").removeprefix(".")
        message = ": ".join(filter(None, (where, key, reason)))
        description = _description(re.split(r"[.\[]", key)[0], raw, kind)
        raise SettingsError("; it is ".join(filter(None, (message, description)))) from error


def _description(key: str, raw: Any, kind: Any) -> str:
    if not key:
        return ""
    if key == "kind":
        return " or ".join(str(kind.__struct_config__.tag) for kind in KINDS)
    if kind is AnyKind:
        kind = next(it for it in KINDS if it.__struct_config__.tag == raw["kind"])
    fields = (field for field in msgspec.structs.fields(kind) if field.name == key)
    return next((environment.description(field.type) for field in fields), "")
