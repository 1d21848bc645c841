"""The inputs of tests/resources/feeds, and the right reading of each: see the README there."""

import json
import tomllib
from dataclasses import dataclass
from math import atan2, cos, degrees, fsum, hypot, radians, sin
from pathlib import Path
from typing import Any, Final

import msgspec

from mousetrap.settings.source_kinds import AnyKind, SourceSettings
from support.origin import Origin, answer

FOLDER: Final = Path(__file__).parents[1] / "resources" / "feeds"
TYPES: Final = {"geojson": "application/geo+json", "csv": "text/csv"}


@dataclass(frozen=True)
class Place:
    """A point, worked out by hand."""

    lon: float
    lat: float
    name: str | None = None


class Case:
    """An input and its right reading."""

    def __init__(self, name: str, table: dict[str, Any]) -> None:
        self.name = name
        self.table = table
        self.kind: str = table.get("kind", "geojson")
        self.path = FOLDER / table["file"]
        self.error: str | None = table.get("error")
        self.places = [Place(*point) for point in table.get("points", ())]

    def entry(self, origin: Origin) -> dict[str, Any]:
        """Return the entry of `sources.toml` of a source that gives the input."""
        where: dict[str, object] = {"url": origin.url(f"/{self.name}"), "allow_private": True}
        if self.kind == "file":
            where = {"path": str(self.path)}
        return {"kind": self.kind, **where, **self.table.get("settings", {})}

    def settings(self, origin: Origin) -> SourceSettings:
        """Return the settings of this entry."""
        return msgspec.convert(self.entry(origin), AnyKind)  # type: ignore[no-any-return]

    def serve(self, origin: Origin) -> None:
        """Let a server give the input."""
        content_type = self.table.get("content_type", TYPES.get(self.kind, "application/json"))
        headers = self.table.get("headers", {})
        targets = {f"/{self.name}": self.path.name} | self.table.get("others", {})
        for target, file in targets.items():
            reply = answer(
                (FOLDER / file).read_bytes(),
                status=self.table.get("status", 200),
                content_type=content_type or None,
                **headers,
            )
            origin.answers(reply, path=target)


def cases() -> list[Case]:
    """Return all cases of the corpus."""
    tables = tomllib.loads((FOLDER / "expected.toml").read_text("utf-8"))
    return [Case(name, table) for name, table in tables.items()]


def sources_toml(origin: Origin) -> str:
    """Return a `sources.toml` with an entry for each case."""
    found = cases()
    entries = [f"[sources.{case.name}]\n{_lines(case.entry(origin))}" for case in found]
    return "\n".join([f'default = "{found[0].name}"\n', *entries])


def _lines(entry: dict[str, Any]) -> str:
    return "".join(f"{_toml(key)} = {_toml(value)}\n" for key, value in entry.items())


def _toml(value: object) -> str:
    """Return a value in TOML, which writes all but objects as JSON does."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_toml(key)} = {_toml(it)}' for key, it in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)


def centroid(places: list[Place]) -> tuple[float, float] | None:
    """Return the direction [longitude, latitude] of the mean of unit vectors, if it has one."""
    vectors = [
        (cos(phi) * cos(theta), cos(phi) * sin(theta), sin(phi))
        for theta, phi in ((radians(it.lon), radians(it.lat)) for it in places)
    ]
    x, y, z = (fsum(axis) for axis in zip(*vectors, strict=True))
    if hypot(x, y, z) < 1e-9 * len(places):
        return None
    return degrees(atan2(y, x)), degrees(atan2(z, hypot(x, y)))


def bounds(places: list[Place]) -> tuple[float, float, float, float]:
    """Return the narrowest box [west, south, east, north], by trying each meridian as its west."""
    south, north = min(it.lat for it in places), max(it.lat for it in places)
    if south == -90 or north == 90:
        return -180, south, 180, north
    arcs = [
        (max((it.lon - west) % 360 for it in places), west) for west in {it.lon for it in places}
    ]
    width, west = min(arcs)
    east = west + width
    return west, south, east - 360 if east > 180 else east, north
