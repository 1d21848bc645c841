"""The program `up`: the whole system on this machine, until Ctrl-C."""

import argparse
import asyncio
import importlib.resources
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NoReturn

from mousetrap.settings import process
from mousetrap.settings import sources as sources_settings
from mousetrap.settings.errors import SettingsError
from mousetrap.stack import deployables, folder, ports, servers, supervisor
from mousetrap.stack.console import Console
from mousetrap.stack.errors import StackError
from mousetrap.stack.process import Process


def main(arguments: Sequence[str]) -> int:
    """Run the system and return the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(sys.stdout, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    try:
        _on_stop_signals(_stop)
        return _up(options, console)
    except _Stopped as stopped:
        return supervisor.asked(stopped.number)
    except (StackError, SettingsError) as error:
        sys.stderr.write(f"up: {' '.join(str(error).split())}\n")
        return 1
    finally:
        _on_stop_signals(_end)
        console.close()


class _Stopped(BaseException):
    """A stop signal came before there was anything to supervise."""

    def __init__(self, number: int) -> None:
        self.number = number


def _on_stop_signals(handle: Callable[[int, FrameType | None], NoReturn]) -> None:
    for number in supervisor.stop_signals():
        signal.signal(number, handle)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    _on_stop_signals(_end)  # a second one does not wait for the servers
    raise _Stopped(number)


def _end(number: int, _: FrameType | None) -> NoReturn:
    os._exit(supervisor.SIGNALLED + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="up",
        description="Run Mousetrap on this machine: Postgres, Valkey, the API and both workers.",
    )
    parser.add_argument(
        "--port", type=_port, default=8000, help="where the API listens (default: %(default)s)"
    )
    data = parser.add_mutually_exclusive_group()
    data.add_argument("--fresh", action="store_true", help="forget all data first")
    data.add_argument(
        "--services-from-environment",
        action="store_true",
        help="use the Postgres and the Redis or Valkey that MOUSETRAP_POSTGRES_DSN and"
        " MOUSETRAP_REDIS_URL name (default: embedded ones)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(".mousetrap"),
        metavar="FOLDER",
        help="where the data stays from run to run (default: %(default)s)",
    )
    parser.add_argument(
        "--sources", type=Path, metavar="FILE", help="the sources (default: the built-in ones)"
    )
    return parser


def _port(text: str) -> int:
    port = int(text)
    if port not in ports.ALL:
        raise argparse.ArgumentTypeError(f"must be from {ports.ALL[0]} to {ports.ALL[-1]}")
    return port


def _up(options: argparse.Namespace, console: Console) -> int:
    with ExitStack() as stack:
        built_in = importlib.resources.files(__package__) / "sources.toml"
        sources = options.sources or stack.enter_context(importlib.resources.as_file(built_in))
        sources_settings.load(sources)
        if options.services_from_environment:
            found = process.load(process.ServicesSettings, os.environ)
            ports.require_free(options.port)
            addresses = servers.Addresses(found.postgres_dsn, found.redis_url)
            processes: Sequence[Process] = ()
            kept = "the Postgres of MOUSETRAP_POSTGRES_DSN"
        else:
            held = stack.enter_context(folder.hold(options.data))
            ports.require_free(options.port)
            if options.fresh:
                held.clear()
            console.say(supervisor.NAME, f"starting Postgres and Valkey in {held.root}")
            running = stack.enter_context(servers.run(held, output=console, plain_roles=True))
            addresses, processes, kept = running.addresses, running.processes, str(held.root)
        plan = deployables.plan(
            addresses,
            port=options.port,
            sources=sources.absolute(),
            kept=kept,
            environ=os.environ,
        )
        return asyncio.run(supervisor.supervise(plan, processes, console=console, cwd=Path.cwd()))
