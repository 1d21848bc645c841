"""GeoJSON as text, so that it can be wrong."""

import json


def feature(
    coordinates: str = "[1.5, 2.5]", *, kind: str = "Point", properties: str = '{"name": "here"}'
) -> str:
    geometry = f'{{"type": "{kind}", "coordinates": {coordinates}}}'
    return f'{{"type": "Feature", "geometry": {geometry}, "properties": {properties}}}'


def unlocated() -> str:
    return '{"type": "Feature", "geometry": null, "properties": {"name": "nowhere"}}'


def collection(*features: str) -> bytes:
    return f'{{"type": "FeatureCollection", "features": [{", ".join(features)}]}}'.encode()


def many(count: int) -> bytes:
    return collection(*(feature(json.dumps([lon % 180, 1])) for lon in range(count)))
