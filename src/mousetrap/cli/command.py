"""The program `mousetrap`: runs one command and turns errors into exit codes."""

import io
import os
import sys
from collections.abc import Sequence

import click

from mousetrap.cli.commands import NAME, mousetrap
from mousetrap.cli.errors import CommandError, ExitCode, UnreadError


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without arrows or degree signs shows replacement characters.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        # Click returns the exit code of `--help` and the like, and None for a command.
        return mousetrap.main(arguments, prog_name=NAME, standalone_mode=False) or ExitCode.OK
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except UnreadError as error:
        # The interpreter flushes the closed stream on exit, which would print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error.exit_code
    except CommandError as error:
        click.echo(f"{NAME}: {str(error).rstrip()}", err=True)
        return error.exit_code
