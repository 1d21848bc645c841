"""Generates docs/configuration.md from the settings of the processes: `./pants docs`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, get_args

import msgspec

from mousetrap.settings import environment
from mousetrap.settings.process import DEPLOYABLES, CommandLineSettings, MigrateSettings

PAGE: Final = Path("docs/configuration.md")

PROCESSES: Final[dict[str, type[msgspec.Struct]]] = {
    **DEPLOYABLES,
    "process_worker migrate": MigrateSettings,
}
PROGRAMS: Final[dict[str, type[msgspec.Struct]]] = {"mousetrap": CommandLineSettings}

HEAD: Final = """\
# Configuration

Generated from `src/mousetrap/settings/process.py` by `./pants docs`; do not edit.

Every process reads its settings once, from the environment. For secrets, `NAME_FILE` names a file
that holds the value of `NAME`. An unknown variable that begins with `MOUSETRAP_` stops the process
with exit code 2 and one line that says what to do.

| variable | meaning | default | read by |
| --- | --- | --- | --- |
"""

OPENTELEMETRY: Final = """
## OpenTelemetry

If `MOUSETRAP_OTLP_ENDPOINT` names a collector, OpenTelemetry's SDK also reads
[its own variables](https://opentelemetry.io/docs/specs/otel/protocol/exporter/):

- `OTEL_EXPORTER_OTLP_HEADERS`: headers of every request, such as `authorization=Bearer%20KEY`;
- `OTEL_EXPORTER_OTLP_CERTIFICATE`: the path of a bundle with the collector's authority;
- `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`, `OTEL_EXPORTER_OTLP_CLIENT_KEY`: paths of the client's
  certificate and key;
- `OTEL_EXPORTER_OTLP_COMPRESSION`: `none`, `gzip` or `deflate`;
- `OTEL_RESOURCE_ATTRIBUTES`: attributes of the process, such as `deployment.environment.name=test`.

Mousetrap sets the endpoint, deadlines, limits and the share of jobs that is traced.
"""


def page() -> str:
    """Return the text of the page."""
    return HEAD + "".join(_rows()) + OPENTELEMETRY


def _rows() -> list[str]:
    fields: dict[str, dict[str, msgspec.structs.FieldInfo]] = {}
    for name, settings in (PROCESSES | PROGRAMS).items():
        for field in msgspec.structs.fields(settings):
            fields.setdefault(field.name, {})[name] = field
    return [
        f"| `{environment.variable(name)}` | {_meaning(next(iter(readers.values())))} "
        f"| {_defaults(readers)} "
        f"| {', '.join(readers) if len(readers) < len(PROCESSES) else 'all'} |\n"
        for name, readers in sorted(fields.items())
    ]


def _meaning(field: msgspec.structs.FieldInfo) -> str:
    options = get_args(getattr(field.type, "__origin__", None))
    choice = f" ({', '.join(f'`{option}`' for option in options)})" if options else ""
    return environment.description(field.type) + choice


def _defaults(readers: Mapping[str, msgspec.structs.FieldInfo]) -> str:
    found = {process: _default(field) for process, field in readers.items()}
    if len(set(found.values())) == 1:
        return found.popitem()[1]
    return ", ".join(f"{default} ({process})" for process, default in found.items())


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    return "" if field.default == "" else f"`{field.default}`"
