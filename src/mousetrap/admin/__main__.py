"""`python -m mousetrap.admin`: serves the admin page until SIGTERM or SIGINT."""

import argparse
import os
import sys
from collections.abc import Sequence

from mousetrap.admin.app import create_app
from mousetrap.admin.server import Server
from mousetrap.runtime import naming
from mousetrap.settings import process
from mousetrap.settings.errors import SettingsError
from mousetrap.telemetry import logs


def main(arguments: Sequence[str]) -> int:
    """Run the process; returns its exit code."""
    argparse.ArgumentParser(prog="admin", description=__doc__).parse_args(arguments)
    try:
        settings = process.load(process.AdminSettings, os.environ)
    except SettingsError as error:
        print(f"admin: {error}", file=sys.stderr)  # noqa: T201 - logs are not set up yet
        return 2
    logs.configure("admin", form=settings.log_format, level=settings.log_level)
    admin = create_app(settings)
    Server(admin, settings).run()
    return 1 if admin.supervisor.failed else 0


if __name__ == "__main__":
    naming.name("admin")
    sys.exit(main(sys.argv[1:]))
