"""Names the shapes that many bodies share, so that generated clients have one type for each."""

from typing import Any, Final

Json = dict[str, Any]

LATITUDE: Final = {"type": "number", "minimum": -90, "maximum": 90}
LONGITUDE: Final = {"type": "number", "minimum": -180, "maximum": 180}


def _array(description: str, *items: Json) -> Json:
    return {
        "type": "array",
        "description": description,
        "prefixItems": list(items),
        "minItems": len(items),
        "maxItems": len(items),
    }


SHAPES: Final[dict[str, Json]] = {
    "BoundingBox": _array(
        "[west, south, east, north], degrees, WGS 84", LONGITUDE, LATITUDE, LONGITUDE, LATITUDE
    ),
    "Centroid": _array("[lat, lon], degrees, WGS 84", LATITUDE, LONGITUDE),
    "Position": _array("[lon, lat], degrees, WGS 84", LONGITUDE, LATITUDE),
    "Timestamp": {
        "type": "string",
        "format": "date-time",
        "description": "RFC 3339, in UTC with microseconds",
    },
}
"""The shapes by the names of their components."""

ANNOTATIONS: Final = frozenset({"deprecated", "description", "examples", "title"})


def named(schemas: Json) -> Json:
    """Return schemas in which each of SHAPES is a component, referred to where it occurs.

    A referring schema keeps its own ANNOTATIONS beside the reference, as OpenAPI 3.1 allows.
    """
    bare = {name: _bare(shape) for name, shape in SHAPES.items()}
    return SHAPES | {name: _referring(schema, bare) for name, schema in schemas.items()}


def _referring(value: Any, shapes: Json) -> Any:
    if isinstance(value, list):
        return [_referring(it, shapes) for it in value]
    if not isinstance(value, dict):
        return value
    bare = _bare(value)
    for name, shape in shapes.items():
        if bare == shape:
            own = {key: it for key, it in value.items() if key in ANNOTATIONS}
            return {"$ref": f"#/components/schemas/{name}", **own}
    return {key: _referring(it, shapes) for key, it in value.items()}


def _bare(value: Any) -> Any:
    """Return a schema without what only describes it."""
    if isinstance(value, list):
        return [_bare(it) for it in value]
    if not isinstance(value, dict):
        return value
    return {key: _bare(it) for key, it in value.items() if key not in ANNOTATIONS}
