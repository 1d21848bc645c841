"""Generates the reference in docs/command-line.md from the commands' help: `./pants docs`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import marked

from mousetrap.cli.commands import NAME, mousetrap
from mousetrap.cli.errors import ExitCode

PAGE: Final = Path("docs/command-line.md")

BEGIN: Final = "<!-- Generated from the help of the commands by `./pants docs`; do not edit. -->\n"
WIDTH: Final = 100


def page() -> str:
    """Return the text of the page, with its reference generated again."""
    context = _context(mousetrap, NAME, None)
    return marked.replaced(PAGE, BEGIN, "".join((*_exit_codes(), *_help(mousetrap, context))))


def _exit_codes() -> Iterator[str]:
    yield "| exit code | meaning |\n| --: | --- |\n"
    for code in ExitCode:
        yield f"| {code.value} | {code.meaning} |\n"


def _help(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"\n### {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.commands[name]
            yield from _help(found, _context(found, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(
        command, info_name=name, parent=parent, terminal_width=WIDTH, **command.context_settings
    )
