"""`sources.toml`: the sources, configured by the operator and never by a caller."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from mousetrap.settings import checks
from mousetrap.settings.errors import SettingsError
from mousetrap.settings.source_kinds import FileSettings, SourceSettings

SourceName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[a-z0-9][a-z0-9_-]*\Z",
        description="made of lower-case letters, digits, - and _",
    ),
]
_DEFAULT: Final = Annotated[
    SourceName, Meta(description="the name of the source of requests that name none")
]
_ENTRIES: Final = Annotated[
    dict[str, Any],
    Meta(min_length=1, max_length=1000, description="a table [sources.NAME] for each source"),
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


def load(path: str | Path) -> Sources:
    """Read `sources.toml`; the paths of files in it become absolute.

    Raises SettingsError, whose message names the file and, for each of its errors, the entry, the
    key and the expected value.
    """
    path = Path(path).absolute()
    where = f"the sources file {path}"
    try:
        raw = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{where} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{where} cannot be read: {error}") from error
    return of(raw, path.parent, where)


def of(raw: Mapping[str, Any], folder: Path, where: str) -> Sources:
    """Return the sources of a decoded file in the `folder`, which `where` names in messages.

    Raises SettingsError.
    """
    checked = checks.Checked()
    entries = checked.member(raw, "sources", _ENTRIES)
    default = checked.member(raw, "default", _DEFAULT)
    for key, value in raw.items():
        if key not in Sources.__struct_fields__:
            table = f"a source is a table below `sources`: write [sources.{key}]"
            meant = (
                table if isinstance(value, dict) else checks.nearest(key, ("default", "sources"))
            )
            checked.add(f"[{key}]" if isinstance(value, dict) else key, f"unknown key: {meant}")
    sources = {}
    for name, entry in (entries or {}).items():
        table = f"[sources.{name if name.isprintable() else repr(name)}]"
        checked.value(name, SourceName, f"{table}: the name")
        source = checked.entry(entry, table)
        if isinstance(source, FileSettings):
            source = msgspec.structs.replace(source, path=str(folder / source.path))
        sources[name] = source
    if default and entries and default not in entries:
        meant = checks.nearest(default, entries, f"one of {', '.join(entries)}")
        checked.add("default", f"there is no source {default!r}: {meant}")
    checked.require(where)
    return Sources(default=default, sources=sources)
