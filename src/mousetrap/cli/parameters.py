"""Parameters that several commands have, declared with Click."""

import re
from collections.abc import Callable, Coroutine
from typing import Any

import click
from click.shell_completion import CompletionItem

from mousetrap.cli.options import DEFAULT_URL, Options
from mousetrap.runtime import interrupt

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Url(click.ParamType[str]):
    """An address of HTTP or HTTPS."""

    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address without a trailing slash."""
        if not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", value):
            self.fail(f"{value!r} is not http://HOST:PORT or https://HOST:PORT", param, ctx)
        return value.rstrip("/")


def run[T](command: Coroutine[Any, Any, T]) -> T:
    """Run a command."""
    import asyncio

    with interrupt.raised():
        return asyncio.run(command)


def remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Store an option that may stand before or after the command."""
    if value is not None and parameter.name is not None:
        setattr(context.ensure_object(Options), parameter.name, value)


def api_options(*, from_environment: bool = False) -> Decorator:
    """Add the options of every command that calls the API and ends."""
    connection = connection_options(from_environment=from_environment)

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        return connection(timeout_option(json_option(command)))

    return add


def connection_options(*, from_environment: bool = False) -> Decorator:
    """Add `--url` and `--token-file`."""
    url = url_option(from_environment=from_environment)
    token = click.option(
        "--token-file",
        type=click.Path(),
        metavar="FILE",
        expose_value=False,
        callback=remember,
        help="A file with the token for the API, instead of the one that `login` has stored.",
        **_variable("MOUSETRAP_TOKEN_FILE", shown=from_environment),
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        return url(token(command))

    return add


def url_option(*, from_environment: bool = False) -> Decorator:
    """Add `--url`."""
    return click.option(
        "-u",
        "--url",
        type=Url(),
        expose_value=False,
        callback=remember,
        help="The URL of the API; by default that of the `./pants up` that started last here, or"
        f" {DEFAULT_URL}.",
        **_variable("MOUSETRAP_URL", shown=from_environment),
    )


def _variable(name: str, *, shown: bool) -> dict[str, Any]:
    return {"envvar": name, "show_envvar": True} if shown else {}


timeout_option = click.option(
    "-t",
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=86400),
    metavar="SECONDS",
    expose_value=False,
    callback=remember,
    help=f"The overall deadline, {Options.timeout:g} by default.",
)
json_option = click.option(
    "-j",
    "--json",
    is_flag=True,
    default=None,
    expose_value=False,
    callback=remember,
    help="Print JSON, one document a line.",
)


def source_names(
    context: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the completions of a source's name; none when the API is unreachable."""
    from mousetrap.cli import queries

    options = context.find_object(Options) or Options()
    names = run(queries.source_names(options))
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


source_option = click.option(
    "-s", "--source", metavar="NAME", shell_complete=source_names, help="Only this source."
)
since_option = click.option(
    "--since", metavar="TIME", help="Requested at this time (RFC 3339) or later."
)
until_option = click.option(
    "--until", metavar="TIME", help="Requested before this time (RFC 3339)."
)
wait_option = click.option(
    "-w", "--wait", is_flag=True, help="Wait for the end of the job, and show its result."
)
limit_option = click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="The maximum number.",
)
all_option = click.option(
    "-a", "--all", "everything", is_flag=True, help="All of them; ignores --limit."
)
