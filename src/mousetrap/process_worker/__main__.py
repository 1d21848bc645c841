"""`python -m mousetrap.process_worker`, and `... migrate` to bring the database up to date."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from mousetrap.process_worker import app
from mousetrap.runtime import naming, worker
from mousetrap.settings import process, sources
from mousetrap.settings.errors import SettingsError
from mousetrap.telemetry import logs


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; return 0, or 2 when the settings cannot be used."""
    parser = argparse.ArgumentParser(prog="process_worker", description=__doc__)
    parser.add_argument("command", nargs="?", choices=["work", "migrate"], default="work")
    command = parser.parse_args(arguments).command
    try:
        return _migrate() if command == "migrate" else _work()
    except SettingsError as error:
        print(f"process_worker: {error}", file=sys.stderr)  # noqa: T201 - there may be no logs yet
        return 2


def _work() -> int:
    settings = process.load(process.ProcessWorkerSettings, os.environ)
    configured = sources.load(settings.sources_file)
    logs.configure("process-worker", form=settings.log_format, level=settings.log_level)
    return worker.run(app.run(settings, configured))


def _migrate() -> int:
    settings = process.load(process.MigrateSettings, os.environ)
    logs.configure("migrate", form=settings.log_format, level=settings.log_level)
    return asyncio.run(app.migrate(settings))


if __name__ == "__main__":
    naming.name("process")
    sys.exit(main(sys.argv[1:]))
