"""`python -m mousetrap.api`: serves the API until SIGTERM or SIGINT."""

import argparse
import os
import sys
from collections.abc import Sequence

from mousetrap.api.app import create_app
from mousetrap.api.server import create_server
from mousetrap.runtime import naming
from mousetrap.settings import process, sources
from mousetrap.settings.errors import SettingsError
from mousetrap.telemetry import logs


def main(arguments: Sequence[str]) -> int:
    """Run the process; returns its exit code."""
    argparse.ArgumentParser(prog="api", description=__doc__).parse_args(arguments)
    try:
        settings = process.load(process.ApiSettings, os.environ)
        configured = sources.load(settings.sources_file)
        logs.configure("api", form=settings.log_format, level=settings.log_level)
        api = create_app(settings, configured)
    except SettingsError as error:
        print(f"api: {error}", file=sys.stderr)  # noqa: T201 - logs may not be set up yet
        return 2
    create_server(api, settings).run()
    return 1 if api.supervisor.failed else 0


if __name__ == "__main__":
    naming.name("api")
    sys.exit(main(sys.argv[1:]))
