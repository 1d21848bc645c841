"""The things that a caller of one OpenAPI document would miss in another one."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def broken(old: Json, new: Json) -> list[str]:
    """Return what breaks callers of the old document: answers that changed, parameters gone."""
    return list(_Comparison(old, new).document())


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new

    def document(self) -> Iterator[str]:
        for path, item in self._old["paths"].items():
            for method, before in item.items():
                after = self._new["paths"].get(path, {}).get(method)
                where = f"{method.upper()} {path}"
                if after is None:
                    yield f"{where} is gone"
                    continue
                yield from self._parameters(before, after, where)
                yield from self._answers(before, after, where)

    def _parameters(self, before: Json, after: Json, where: str) -> Iterator[str]:
        known = {(it["in"], it["name"]) for it in before.get("parameters", [])}
        given = {(it["in"], it["name"]): it for it in after.get("parameters", [])}
        for location, name in sorted(known - given.keys()):
            yield f"{where}: the parameter {name} in the {location} is gone"
        for (_, name), it in given.items():
            if it.get("required") and (it["in"], name) not in known:
                yield f"{where}: the parameter {name} is required"

    def _answers(self, before: Json, after: Json, where: str) -> Iterator[str]:
        for status, answer in before["responses"].items():
            if not status.startswith("2"):
                continue
            found = after["responses"].get(status, {}).get("content", {})
            for media_type, content in answer.get("content", {}).items():
                if media_type not in found:
                    yield f"{where}: {status} has no {media_type}"
                else:
                    there = f"{where} {status}"
                    yield from self._schema(content["schema"], found[media_type]["schema"], there)

    def _schema(self, old: Json, new: Json, where: str) -> Iterator[str]:
        befores = list(_choices(old, self._old))
        for after in _choices(new, self._new):
            # An answer that was possible before breaks nobody.
            tried = [list(self._choice(before, after, where)) for before in befores]
            yield from min(tried, key=len)

    def _choice(self, old: Json, new: Json, where: str) -> Iterator[str]:
        for key in ("type", "format"):
            if key in old and old[key] != new.get(key):
                yield f"{where}: the {key} {old[key]} is {new.get(key)}"
                return
        if others := set(_values(new)) - set(_values(old)):
            yield f"{where}: {', '.join(map(str, sorted(others)))} may be a value"
        lost = set(old.get("required", ())) - set(new.get("required", ()))
        for name in sorted(lost):
            yield f"{where}.{name} may be absent"
        for name, before in old.get("properties", {}).items():
            after = new.get("properties", {}).get(name)
            if after is not None:
                yield from self._schema(before, after, f"{where}.{name}")
            elif name not in lost:
                yield f"{where}.{name} is gone"
        if "items" in old:
            yield from self._schema(old["items"], new.get("items", {}), f"{where}[]")
        yield from self._items(old.get("prefixItems", []), new.get("prefixItems", []), where)
        yield from self._others(old, new, where)

    def _items(self, old: list[Json], new: list[Json], where: str) -> Iterator[str]:
        if len(old) != len(new):
            yield f"{where}: the length of the list is another one"
            return
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from self._schema(before, after, f"{where}[{index}]")

    def _others(self, old: Json, new: Json, where: str) -> Iterator[str]:
        """Compare the fields without a name in the schema: a type for all, none or any of them."""
        before, after = (it.get("additionalProperties", True) for it in (old, new))
        if isinstance(before, dict):
            yield from self._schema(before, after if isinstance(after, dict) else {}, f"{where}.*")
        elif not before and (after or new.get("properties", {}).keys() - old["properties"].keys()):
            yield f"{where} may have other fields"


def _choices(schema: Json, document: Json) -> Iterator[Json]:
    """Yield what a schema allows, with its references followed."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from _choices(document["components"]["schemas"][name], document)
    elif choices := [*schema.get("anyOf", ()), *schema.get("oneOf", ())]:
        for choice in choices:
            yield from _choices(choice, document)
    else:
        yield schema


def _values(schema: Json) -> list[Any]:
    constant = [schema["const"]] if "const" in schema else []
    return [*constant, *schema.get("enum", ())]
