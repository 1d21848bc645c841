"""The program `up`: the whole system on this machine, until Ctrl-C."""

import argparse
import asyncio
import importlib.resources
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from mousetrap.settings import process, running
from mousetrap.settings import sources as sources_settings
from mousetrap.settings.errors import SettingsError
from mousetrap.stack import deployables, folder, ports, servers, supervisor
from mousetrap.stack.console import NAME_WIDTH, Console
from mousetrap.stack.errors import StackError
from mousetrap.stack.folding import FoldedOutput
from mousetrap.stack.process import Process

WORKERS = range(1, 33)
"""How many workers of a kind may run."""


def main(arguments: Sequence[str]) -> int:
    """Run the system and return the exit code."""
    options = _parser().parse_args(arguments)
    console = Console(
        sys.stdout,
        colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
        width=NAME_WIDTH + (2 if max(_workers(options).values()) > 1 else 0),
    )
    try:
        _on_stop_signals(_stop)
        return _up(options, console)
    except _Stopped as stopped:
        return supervisor.asked(stopped.number)
    except (StackError, SettingsError) as error:
        sys.stderr.write(f"up: {str(error).rstrip()}\n")
        return 1
    finally:
        _on_stop_signals(_end)
        console.close()


def _announce(stack: ExitStack, console: Console, port: int) -> None:
    url = f"http://{ports.HOST}:{port}"
    try:
        stack.enter_context(running.announced(url, port, os.environ))
    except OSError as error:
        console.say(
            supervisor.NAME, f"the command line will need --url {url}, as nothing tells it: {error}"
        )


class _Stopped(SystemExit):
    """A stop signal came while there was nothing to supervise; asyncio lets it through."""

    def __init__(self, number: int) -> None:
        super().__init__(supervisor.asked(number))
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
        epilog="Settings of the processes, MOUSETRAP_*, are passed on to them: see"
        " docs/configuration.md.",
    )
    parser.add_argument(
        "--port",
        type=_one_of(ports.ALL),
        default=8000,
        help="where the API listens (default: %(default)s)",
    )
    for worker in ("fetch", "process"):
        parser.add_argument(
            f"--{worker}-workers",
            type=_one_of(WORKERS),
            default=1,
            metavar="N",
            help=f"how many {worker} workers run (default: %(default)s)",
        )
    parser.add_argument("--admin", action="store_true", help="serve the admin page, too")
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
        help="where the data stays from run to run (default: .mousetrap in the checkout)",
    )
    parser.add_argument(
        "--sources", type=Path, metavar="FILE", help="the sources (default: the built-in ones)"
    )
    return parser


def _one_of(numbers: range) -> Callable[[str], int]:
    """Return a type of arguments: a number of the range."""

    def parse(text: str) -> int:
        with suppress(ValueError):
            if (number := int(text)) in numbers:
                return number
        raise argparse.ArgumentTypeError(
            f"must be a number from {numbers[0]} to {numbers[-1]}, not {text!r}"
        )

    return parse


def _workers(options: argparse.Namespace) -> dict[str, int]:
    return {"fetch_worker": options.fetch_workers, "process_worker": options.process_workers}


def _up(options: argparse.Namespace, console: Console) -> int:
    process.refuse_unknown(os.environ)
    for name in deployables.unused(os.environ, servers=options.services_from_environment):
        console.say(supervisor.NAME, f"{name} is not used here: `up` decides it, see up --help")
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
            output = FoldedOutput(console, held.root)
            started = stack.enter_context(servers.run(held, output=output, plain_roles=True))
            addresses, processes, kept = started.addresses, started.processes, str(held.root)
        wishes = deployables.Wishes(
            port=options.port,
            sources=sources.absolute(),
            kept=kept,
            workers=_workers(options),
            admin_port=ports.near(options.port) if options.admin else None,
        )
        plan = deployables.plan(addresses, wishes, os.environ)
        _announce(stack, console, options.port)
        return asyncio.run(supervisor.supervise(plan, processes, console=console, cwd=Path.cwd()))
