"""Writes the generated parts of the Helm chart: `./pants docs`.

They are the workers, from the list of stages; the settings in the schema of the values; and the
table of the values in the README.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import compose
import marked
import msgspec
import yaml

from mousetrap.queue.stages import STAGES, Stage
from mousetrap.settings.process import DEPLOYABLES, added

CHART: Final = Path("deploy/chart")
WORKERS: Final = CHART / "files/workers.yaml"
SCHEMA: Final = CHART / "values.schema.json"
VALUES: Final = CHART / "values.yaml"
README: Final = CHART / "README.md"
TABLE: Final = "<!-- The values, from values.yaml: written by `./pants docs`. -->\n"

GIVEN: Final = frozenset(
    {
        *("postgres_dsn", "redis_url", "sources_file", "api_tokens_file"),
        *("trusted_proxies", "allowed_hosts", "root_path"),
        *("host", "port", "health_host", "health_port"),
    }
)
"""The settings that the chart or an image gives: none is a value of `settings`."""

PER_PROCESS: Final[Mapping[str, Mapping[str, Any]]] = {
    "replicas": {"type": "integer", "minimum": 0},
    "secret": {"type": "string"},
    "resources": {"type": "object"},
    "podAnnotations": {"$ref": "#/definitions/texts"},
    "podLabels": {"$ref": "#/definitions/texts"},
    "nodeSelector": {"$ref": "#/definitions/texts"},
    "tolerations": {"$ref": "#/definitions/objects"},
    "affinity": {"type": "object"},
    "priorityClassName": {"type": "string"},
    "extraEnv": {"$ref": "#/definitions/objects"},
    "extraVolumes": {"$ref": "#/definitions/objects"},
    "extraVolumeMounts": {"$ref": "#/definitions/objects"},
}
COUNT: Final = {"type": "integer", "minimum": 1}
SCALED: Final = {"enabled": {"type": "boolean"}, "minReplicas": COUNT, "maxReplicas": COUNT}
BY_QUEUE: Final = {**SCALED, "messages": COUNT, "prometheus": {"type": "string"}}


def files() -> Mapping[Path, str]:
    """Return the files as they should be."""
    return {
        WORKERS: compose.BEGIN + "".join(map(_worker, STAGES)),
        SCHEMA: json.dumps(_schema(), indent=2, ensure_ascii=False) + "\n",
        README: marked.replaced(README, TABLE, _table(VALUES.read_text("utf-8"))),
    }


def _worker(stage: Stage[Any]) -> str:
    given = compose.guarded(stage)
    lines = "".join(f"    {name}: {value}\n" for name, value in given.items())
    return (
        f"{compose.service(stage)}:\n  queue: {stage.name}\n"
        f"  networks: [{compose.networks(stage)}]\n"
        f"  secrets: [{', '.join(compose.secrets(stage))}]\n"
        f"  environment:\n{lines}  needs: [{', '.join(added(DEPLOYABLES[stage.worker]))}]\n"
    )


def _schema() -> Mapping[str, Any]:
    """Return the schema with the settings of the processes of this version."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    workers = {compose.service(stage): _settings(stage.worker) for stage in STAGES}
    every = {name: kind for kinds in workers.values() for name, kind in kinds.items()}
    schema["definitions"] |= {
        "api": _process(_settings("api"), {**SCALED, "cpu": COUNT}),
        "worker": _process(every, BY_QUEUE),
    }
    schema["properties"]["workers"]["properties"] = {
        name: _process(kinds, BY_QUEUE) for name, kinds in workers.items()
    }
    return schema  # type: ignore[no-any-return] # json knows no types


def _process(settings: Mapping[str, Any], scaling: Mapping[str, Any]) -> Mapping[str, Any]:
    further = {"settings": _object(settings), "autoscaling": _object(scaling)}
    return _object({**PER_PROCESS, **further})


def _object(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _settings(deployable: str) -> Mapping[str, Any]:
    """Return the schemas of the settings that an operator may give a process."""
    kind = DEPLOYABLES[deployable]
    _, components = msgspec.json.schema_components([kind])
    found = components[kind.__name__]["properties"]
    return {name: _portable(it) for name, it in found.items() if name not in GIVEN}


def _portable(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema without defaults, with patterns that Go knows as well."""
    ported = {key: value for key, value in schema.items() if key != "default"}
    if "pattern" in ported:
        ported["pattern"] = ported["pattern"].replace(r"\Z", "$")
    return ported


def _table(values: str) -> str:
    """Return the table of the values, each with the text after `# --` above it."""
    rows = (f"| `{path}` | {text} | `{default}` |" for path, text, default in described(values))
    return "\n".join(("| value | meaning | default |", "| --- | --- | --- |", *rows))


def described(values: str) -> Iterator[tuple[str, str, str]]:
    """Yield the path, the text and the default, as JSON, of each value that has a text."""
    found = yaml.safe_load(values)
    parents: list[tuple[int, str]] = []
    text = ""
    for line in values.splitlines():
        if marked_line := re.fullmatch(r" *# -- (.+)", line):
            text = marked_line[1]
        elif key := re.match(r"( *)(\w+):", line):
            indent = len(key[1])
            parents = [it for it in parents if it[0] < indent] + [(indent, key[2])]
            if text:
                path = [name for _, name in parents]
                yield ".".join(path), text, _default(found, path)
            text = ""


def _default(values: Any, path: Sequence[str]) -> str:
    for name in path:
        values = values[name]
    return json.dumps(values)
