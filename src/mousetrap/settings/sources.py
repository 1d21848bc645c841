"""`sources.toml`: where batches come from. The operator's configuration, never a caller's input."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from mousetrap.settings import environment
from mousetrap.settings.errors import SettingsError

SourceName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[a-z0-9][a-z0-9_-]*\Z",
        description="made of lower-case letters, digits, - and _",
    ),
]
# A user and password in a URL would be credentials, which are never sent.
Url = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^/?#@\s]+([/?#]\S*)?\Z",
        max_length=2000,
        description="an address of http:// or https://, without user and password",
    ),
]
NameProperty = Annotated[
    str,
    Meta(
        pattern=r'^[^"\\\x00-\x1f]+\Z',
        max_length=200,
        description="the property of a feature that names its point",
    ),
]
Deadline = Annotated[
    float, Meta(gt=0, le=600, description="the seconds that the whole answer may take")
]
MaxBytes = Annotated[
    int,
    Meta(ge=1, le=256 * 1024 * 1024, description="the most bytes of an answer, also when unpacked"),
]
MaxPoints = Annotated[int, Meta(ge=1, le=1_000_000, description="the most features of an answer")]
MaxRedirects = Annotated[int, Meta(ge=0, le=10, description="the most redirects that are followed")]
Every = Annotated[
    Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}[smhd]\Z")] | None,
    Meta(description='how often it is refreshed unasked, such as "30s", "5m", "2h" or "1d"'),
]
Count = Annotated[int, Meta(ge=1, le=100_000, description="how many points a batch has")]


class FakerSource(
    Struct, frozen=True, kw_only=True, tag="faker", tag_field="kind", forbid_unknown_fields=True
):
    """Invented places; needs no network."""

    count: Count = 100
    every: Every = None


class GeojsonSource(
    Struct, frozen=True, kw_only=True, tag="geojson", tag_field="kind", forbid_unknown_fields=True
):
    """A GeoJSON FeatureCollection of points (RFC 7946) over HTTP or HTTPS."""

    url: Url
    name_property: NameProperty = "name"
    deadline: Deadline = 20.0
    max_bytes: MaxBytes = 32 * 1024 * 1024
    max_points: MaxPoints = 100_000
    max_redirects: MaxRedirects = 3
    every: Every = None


SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

Source = FakerSource | GeojsonSource
KINDS: tuple[type[Struct], ...] = (FakerSource, GeojsonSource)


class Sources(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The configured sources by name, and the one that is meant when none is named."""

    default: SourceName
    sources: Annotated[dict[SourceName, Source], Meta(min_length=1, max_length=1000)]

    def schedules(self) -> dict[str, float]:
        """Return after how many seconds each source with a schedule is to be refreshed again."""
        return {
            name: float(source.every[:-1]) * SECONDS[source.every[-1]]
            for name, source in self.sources.items()
            if source.every is not None
        }


class _File(Struct, kw_only=True, forbid_unknown_fields=True):
    """`Sources` before its entries are looked at, so that an error can name the entry."""

    default: SourceName
    sources: Annotated[dict[str, Any], Meta(min_length=1, max_length=1000)]


class _Name(Struct):
    """The name of one entry."""

    name: SourceName


def load(path: str | Path) -> Sources:
    """Read `sources.toml`.

    Raises SettingsError, whose message names the file, the entry and what it should be.
    """
    try:
        raw = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"the sources file {path} cannot be read: {error}") from error
    where = f"the sources file {path}"
    file: _File = _convert(raw, _File, where)
    sources: dict[str, Source] = {}
    for name, entry in file.sources.items():
        _convert({"name": name}, _Name, f"{where}: [sources] {name!r}")
        sources[name] = _convert(entry, Source, f"{where}: [sources.{name}]")
    if file.default not in sources:
        raise SettingsError(f"{where} names {file.default!r} as default: add it to [sources]")
    return Sources(default=file.default, sources=sources)


def _convert(raw: object, kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        key = path.rstrip("`")
        told = ": ".join(filter(None, (where, key, reason)))
        raise SettingsError("; it is ".join(filter(None, (told, _description(key))))) from error


def _description(key: str) -> str:
    if key == "kind":
        return " or ".join(str(kind.__struct_config__.tag) for kind in KINDS)
    kinds: tuple[type[Struct], ...] = (_File, _Name, *KINDS)
    fields = (field for kind in kinds for field in msgspec.structs.fields(kind))
    return next((environment.description(field.type) for field in fields if field.name == key), "")
