"""Writes the workers into the Compose files, from the stages and the settings: `./pants docs`."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from mousetrap.queue.stages import STAGES, Stage
from mousetrap.settings import environment
from mousetrap.settings.process import DEPLOYABLES, added

BEGIN: Final = "# The workers, of src/mousetrap/queue/stages.py: written by `./pants docs`.\n"
SECRETS: Final = "# Those of the workers, written by `./pants docs`.\n"
END: Final = "# The end of what `./pants docs` writes.\n"

DEPLOY: Final = Path("deploy")
IMAGE: Final = (
    "${{IMAGES:?where the images are, see .env.example}}/{}"
    ":${{REVISION:?the git revision to run, see .env.example}}"
)
REFUSE: Final = "?a setting of this worker, see .env.example"
SOURCES: Final = "/etc/mousetrap/sources.toml"
FOLLOW_UP: Final = "follow_up"
"""The role of Postgres of every stage that follows summaries."""


def files() -> Mapping[Path, str]:
    """Return the files as they should be."""
    blocks: dict[str, tuple[str, Callable[[Stage[Any]], str]]] = {
        "production.yaml": ("\n", _production),
        "swarm.yaml": ("\n", _swarm),
        "local.yaml": ("\n", _local),
        "managed.yaml": ("", _managed),
        "observability.yaml": ("", _watched),
        "observability/prometheus/prometheus.yaml": ("", _scraped),
    }
    found = {}
    for name, (between, block) in blocks.items():
        text = (DEPLOY / name).read_text("utf-8")
        text = _replaced(text, BEGIN, between.join(map(block, STAGES)))
        found[DEPLOY / name] = _replaced(text, SECRETS, _declared()) if SECRETS in text else text
    return found


def _replaced(text: str, begin: str, part: str) -> str:
    before, mark, rest = text.partition(begin)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"there is no {begin!r}, or no {END!r} after it")
    indent = before.rpartition("\n")[2]
    return f"{before}{mark}{part}{indent}{end}{after}"


def service(stage: Stage[Any]) -> str:
    """Return the name of a worker's service."""
    return stage.worker.replace("_", "-")


def _fields(stage: Stage[Any]) -> Mapping[str, msgspec.structs.FieldInfo]:
    return {it.name: it for it in msgspec.structs.fields(DEPLOYABLES[stage.worker]) if it.required}


def _role(stage: Stage[Any]) -> str:
    return FOLLOW_UP if stage.follows_summary else stage.name


def secrets(stage: Stage[Any]) -> Iterator[str]:
    """Yield the names of the secrets that a worker is given."""
    fields = _fields(stage)
    if "postgres_dsn" in fields:
        yield f"{_role(stage)}_postgres_dsn"
    if "redis_url" in fields:
        yield f"{stage.name}_redis_url"


def _declared() -> str:
    names = dict.fromkeys(name for stage in STAGES for name in secrets(stage))
    return "".join(f"  {name}:\n    file: ./secrets/{name}\n" for name in names)


def networks(stage: Stage[Any]) -> str:
    """Return the networks that a worker joins, separated by commas."""
    joined = (
        *(("egress",) if stage.egress else ()),
        *(("data",) if "postgres_dsn" in _fields(stage) else ()),
        "queue",
    )
    return ", ".join(joined)


def guarded(stage: Stage[Any]) -> Mapping[str, str]:
    """Return the variables that name the secrets and the files of a worker."""
    known = {
        "postgres_dsn": f"/run/secrets/{_role(stage)}_postgres_dsn",
        "redis_url": f"/run/secrets/{stage.name}_redis_url",
        "sources_file": SOURCES,
    }
    found = {}
    for name in _fields(stage):
        suffix = "_FILE" if known[name].startswith("/run/secrets/") else ""
        found[environment.variable(name) + suffix] = known[name]
    return found


def _settings(stage: Stage[Any], known: Mapping[str, str], unset: str) -> str:
    """Return the settings of a worker; `unset` is what Compose does without one of the stage's."""
    theirs = {
        environment.variable(name): f"${{{name.upper()}:{unset}}}"
        for name in added(DEPLOYABLES[stage.worker])
    }
    return "".join(f"      {name}: {value}\n" for name, value in {**known, **theirs}.items())


def _guarded(stage: Stage[Any]) -> str:
    """Return what production.yaml and swarm.yaml have in common."""
    return (
        f"  {service(stage)}:\n    <<: *process\n    image: {IMAGE.format(service(stage))}\n"
        f"    networks: [{networks(stage)}]\n"
        f"    environment:\n{_settings(stage, guarded(stage), REFUSE)}"
        f"    secrets: [{', '.join(secrets(stage))}]\n"
    )


def _production(stage: Stage[Any]) -> str:
    volumes = "    volumes: *sources-file\n" if "sources_file" in _fields(stage) else ""
    return f"{_guarded(stage)}{volumes}    depends_on: *after-migrate\n"


def _swarm(stage: Stage[Any]) -> str:
    configs = "    configs: *sources\n" if "sources_file" in _fields(stage) else ""
    return f"{_guarded(stage)}{configs}    deploy: *deploy\n"


def _local(stage: Stage[Any]) -> str:
    known = {
        "postgres_dsn": f"postgresql://mousetrap_{_role(stage)}:mousetrap@postgres/mousetrap",
        "redis_url": "redis://valkey/0",
        "sources_file": SOURCES,
    }
    read = {environment.variable(name): known[name] for name in _fields(stage)}
    volumes = "    volumes: *sources-file\n" if "sources_file" in _fields(stage) else ""
    return (
        f"  {service(stage)}:\n    <<: *process\n    image: mousetrap/{service(stage)}\n"
        f"    environment:\n{_settings(stage, read, "-")}{volumes}    depends_on: *after-migrate\n"
    )


def _managed(stage: Stage[Any]) -> str:
    return f"  {service(stage)}: *after-migrate\n"


def _watched(stage: Stage[Any]) -> str:
    return f"  {service(stage)}:\n    networks: [watch]\n"


def _scraped(stage: Stage[Any]) -> str:
    name = service(stage)
    return (
        f"  - job_name: {name}\n    dns_sd_configs:\n      - names: [{name}]\n"
        "        type: A\n        port: 8000\n        refresh_interval: 15s\n"
    )
