"""`python -m mousetrap.fetch_worker`: fetches batches until it is told to stop."""

import argparse
import os
import sys
from collections.abc import Sequence

from mousetrap.fetch_worker.app import run
from mousetrap.runtime import naming, worker
from mousetrap.settings import process, sources
from mousetrap.settings.errors import SettingsError
from mousetrap.settings.secrets import Keyring
from mousetrap.sources.http import credentials
from mousetrap.sources.http.network import network
from mousetrap.telemetry import logs


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT; return 2 when the settings cannot be used."""
    argparse.ArgumentParser(prog="fetch_worker", description=__doc__).parse_args(arguments)
    try:
        settings = process.load(process.FetchWorkerSettings, os.environ)
        configured = sources.load(settings.sources_file)
        keyring = Keyring(os.environ)
        credentials.check(settings.sources_file, configured, keyring, configured.sources)
        reached = network(proxy=settings.proxy, ca_file=settings.ca_file)
    except SettingsError as error:
        print(f"fetch_worker: {error}", file=sys.stderr)  # noqa: T201 - logs are not set up yet
        return 2
    logs.configure("fetch-worker", form=settings.log_format, level=settings.log_level)
    return worker.run(run(settings, configured, keyring, reached))


if __name__ == "__main__":
    naming.name("fetch")
    sys.exit(main(sys.argv[1:]))
