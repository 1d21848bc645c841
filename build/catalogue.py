"""Generates docs/telemetry.md, which lists all metrics and log events: `./pants docs`."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

from mousetrap.api.metrics import ApiMetrics
from mousetrap.fetch_worker.metrics import FetchMetrics
from mousetrap.process_worker.metrics import ProcessMetrics
from mousetrap.store.database import Database
from mousetrap.store.metrics import PoolMetrics
from mousetrap.telemetry.metrics import Metrics

PAGE: Final = Path("docs/telemetry.md")
SOURCES: Final = Path("src/mousetrap")
# Programs that people run, and one in which only libraries log.
LEFT_OUT: Final = ("cli", "stack", "admin")

NOWHERE: Final = "postgresql://nobody@127.0.0.1/nowhere"
LEVELS: Final = {
    **{level: level for level in ("debug", "info", "warning", "error")},
    "exception": "error",
}

HEAD: Final = """\
# Metrics and log events

Generated from the code by `./pants docs`; do not edit.

## Metrics

`GET /metrics` of the API, and of the workers on `MOUSETRAP_HEALTH_PORT`, has the text format of
Prometheus. A histogram `NAME` is the series `NAME_bucket`, `NAME_sum` and `NAME_count`. Labels take
few values: sources are named as in `sources.toml`, and paths are templates. On Linux there are also
the standard metrics of a process:
`process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_virtual_memory_bytes`,
`process_open_fds`, `process_max_fds`, `process_start_time_seconds`.

| metric | type | labels | meaning | process |
| --- | --- | --- | --- | --- |
"""

EVENTS: Final = """
## Log events

Each line is a JSON object with `event`, `level`, `logger`, `service` and `timestamp`. Lines about a
job also have its `job_id`, lines about a message its `queue` and `message_id`, lines about a
request its `request_id`. The list does not include events that libraries log.

| event | level | further fields | logger |
| --- | --- | --- | --- |
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A metric, independent of the values of its labels."""

    name: str
    type: str
    labels: Sequence[str]
    help: str

    @property
    def series(self) -> Sequence[str]:
        """The names of its series in Prometheus."""
        if self.type == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


@dataclass(frozen=True, slots=True)
class Event:
    """A call in the code that logs an event."""

    text: str
    levels: Sequence[str]
    fields: Sequence[str]
    logger: str


def page() -> str:
    """Return the text of the page."""
    return HEAD + "".join(_metrics()) + EVENTS + "".join(_events())


def processes() -> Mapping[str, Metrics]:
    """Return the metrics of each process, before it runs."""
    found = {
        "api": ApiMetrics(),
        "fetch_worker": FetchMetrics(),
        "process_worker": ProcessMetrics(),
    }
    for name in ("api", "process_worker"):
        PoolMetrics(Database(NOWHERE), found[name].registry)
    return found


def kinds(metrics: Metrics) -> Iterator[Kind]:
    """Yield every metric of a process, except those of ProcessCollector, which vary by system."""
    for collector in metrics.registry._collector_to_names:  # noqa: SLF001 - there is no public way
        if isinstance(collector, MetricWrapperBase):
            [family] = collector.collect()
            name = family.name + ("_total" if family.type == "counter" else "")
            labels = collector._labelnames  # noqa: SLF001
            yield Kind(name, family.type, labels, family.documentation)


def events(logger: str, source: str) -> list[Event]:
    """Return the events that a module logs; raises ValueError if one is not a constant."""
    tree = ast.parse(source)
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return [
        _event(logger, method, node, constants)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (method := _method(node)) in {*LEVELS, "log"}
    ]


def _method(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(value=ast.Name(id="log") | ast.Attribute(attr="_log"), attr=method):
            return method
        case _:
            return ""


def _event(logger: str, method: str, call: ast.Call, constants: Mapping[str, object]) -> Event:
    if method == "log":
        level, event = call.args[:2]
        levels = tuple(
            node.attr.lower()
            for node in ast.walk(level)
            if isinstance(node, ast.Attribute) and node.attr.lower() in LEVELS
        )
    else:
        event, levels = call.args[0], (LEVELS[method],)
    match event:
        case ast.Constant(value=str() as text):
            pass
        case ast.Name(id=name) if isinstance(constants.get(name), str):
            text = str(constants[name])
        case _:
            raise ValueError(f"{logger}:{call.lineno}: name the event by a constant text")
    names = (keyword.arg for keyword in call.keywords)
    return Event(text, levels, tuple(name for name in names if name and name != "exc_info"), logger)


def _metrics() -> Iterator[str]:
    shown: dict[str, list[str]] = {}
    found = processes()
    for process, metrics in found.items():
        for kind in kinds(metrics):
            labels = ", ".join(f"`{label}`" for label in kind.labels)
            row = f"| `{kind.name}` | {kind.type} | {labels} | {kind.help} |"
            shown.setdefault(row, []).append(process)
    for row, by in sorted(shown.items()):
        yield f"{row} {', '.join(by) if len(by) < len(found) else 'all'} |\n"


def _events() -> Iterator[str]:
    found = [
        event
        for path in sorted(SOURCES.rglob("*.py"))
        if path.relative_to(SOURCES).parts[0] not in LEFT_OUT
        for event in events(
            ".".join(path.relative_to(SOURCES.parent).with_suffix("").parts),
            path.read_text("utf-8"),
        )
    ]
    rows = {
        f"| {event.text} | {' or '.join(event.levels)} "
        f"| {', '.join(f'`{field}`' for field in event.fields)} | `{event.logger}` |\n"
        for event in found
    }
    yield from sorted(rows, key=str.lower)
