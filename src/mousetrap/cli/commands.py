"""The commands and their options, declared with Click.

A command imports its dependencies when it runs, to keep `--help` and completion fast.
"""

import re
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from mousetrap.cli.errors import ExitCode
from mousetrap.cli.options import DEFAULT_URL, Options
from mousetrap.runtime import interrupt

NAME = "mousetrap"
SHELLS = ("bash", "zsh", "fish")
STATES = ("queued", "succeeded", "failed")

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

    def more(variable: str) -> dict[str, Any]:
        return {"envvar": variable, "show_envvar": True} if from_environment else {}

    url = click.option(
        "--url",
        type=Url(),
        expose_value=False,
        callback=remember,
        help="The URL of the API; by default that of the `./pants up` that started last here, or"
        f" {DEFAULT_URL}.",
        **more("MOUSETRAP_URL"),
    )
    token = click.option(
        "--token-file",
        type=click.Path(),
        metavar="FILE",
        expose_value=False,
        callback=remember,
        help="A file with the token for the API, instead of the one that `login` has stored.",
        **more("MOUSETRAP_TOKEN_FILE"),
    )

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        return url(token(command))

    return add


timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=86400),
    metavar="SECONDS",
    expose_value=False,
    callback=remember,
    help=f"The overall deadline, {Options.timeout:g} by default.",
)
json_option = click.option(
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
    "--source", metavar="NAME", shell_complete=source_names, help="Only this source."
)
wait_option = click.option(
    "--wait", is_flag=True, help="Wait for the end of the job, and show its result."
)
limit_option = click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="The maximum number."
)
all_option = click.option("--all", "everything", is_flag=True, help="All of them; ignores --limit.")


@click.group(
    name=NAME,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: " + "; ".join(f"{code.value} {code.meaning}" for code in ExitCode) + ".",
)
@api_options(from_environment=True)
@click.pass_context
def mousetrap(context: click.Context) -> None:
    """Request summaries from Mousetrap, follow its jobs, and check its sources.

    --url, --token-file, --timeout and --json may stand before or after the command.
    """
    context.ensure_object(Options)


@mousetrap.command()
@click.argument("source", required=False, shell_complete=source_names)
@wait_option
@click.option(
    "--idempotency-key",
    metavar="KEY",
    help="Requests with the same key share one job; a new key by default.",
)
@api_options()
@click.pass_obj
def refresh(
    options: Options, source: str | None, idempotency_key: str | None, *, wait: bool
) -> None:
    """Request a fresh summary of SOURCE, or of the default source."""
    from mousetrap.cli import refresh as work

    run(work.refresh(options, source=source, idempotency_key=idempotency_key, wait=wait))


@mousetrap.command()
@click.argument("job", type=click.UUID)
@wait_option
@api_options()
@click.pass_obj
def retry(options: Options, job: uuid.UUID, *, wait: bool) -> None:
    """Put the failed JOB back into the queue."""
    from mousetrap.cli import refresh as work

    run(work.retry(options, job_id=str(job), wait=wait))


@mousetrap.command()
@click.option(
    "--source",
    metavar="NAME",
    shell_complete=source_names,
    help="This source instead of the default one.",
)
@api_options()
@click.pass_obj
def latest(options: Options, source: str | None) -> None:
    """Show the newest summary."""
    from mousetrap.cli import queries

    run(queries.latest(options, source))


@mousetrap.command()
@click.argument("job", type=click.UUID)
@api_options()
@click.pass_obj
def job(options: Options, job: uuid.UUID) -> None:
    """Show JOB and its failed attempts."""
    from mousetrap.cli import queries

    run(queries.job(options, str(job)))


@mousetrap.command()
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@source_option
@limit_option
@all_option
@api_options()
@click.pass_obj
def jobs(
    options: Options, state: str | None, source: str | None, limit: int, *, everything: bool
) -> None:
    """List jobs, the newest first."""
    from mousetrap.cli import queries

    maximum = None if everything else limit
    run(queries.jobs(options, state=state, source=source, limit=maximum))


@mousetrap.command()
@limit_option
@all_option
@api_options()
@click.pass_obj
def dead_letters(options: Options, limit: int, *, everything: bool) -> None:
    """List dead letters, the newest first."""
    from mousetrap.cli import queries

    run(queries.dead_letters(options, None if everything else limit))


@mousetrap.command()
@source_option
@connection_options()
@json_option
@click.pass_obj
def watch(options: Options, source: str | None) -> None:
    """Show every change of a job as it happens, until Ctrl-C."""
    from mousetrap.cli import watch as work

    run(work.watch(options, source))


@mousetrap.command()
@api_options()
@click.pass_obj
def login(options: Options) -> None:
    """Store a token for the API at --url.

    It is read from --token-file, or else from the terminal or standard input, and kept in a file
    that only you can read.
    """
    from mousetrap.cli import login as work

    run(work.login(options, work.ask(options)))


@mousetrap.command()
@connection_options()
@click.pass_obj
def logout(options: Options) -> None:
    """Remove the stored token for the API at --url."""
    from mousetrap.cli import login as work

    work.logout(options)


@mousetrap.group(invoke_without_command=True)
@api_options()
@click.pass_context
def sources(context: click.Context) -> None:
    """List the sources that the API knows."""
    from mousetrap.cli import queries

    if context.invoked_subcommand is None:
        run(queries.sources(context.ensure_object(Options)))


@sources.command()
@click.argument("target", type=click.Path(), envvar="MOUSETRAP_SOURCES_FILE")
@click.option(
    "--source", "names", metavar="NAME", multiple=True, help="Check only this source; repeatable."
)
@json_option
@click.pass_obj
def check(options: Options, target: str, names: tuple[str, ...]) -> None:
    """Fetch one batch of each source of TARGET, a sources.toml, or of an address or a file.

    For a feed, TARGET may be its http:// or https:// address, or a local file: then the entry for
    sources.toml is proposed, and what it gives is drawn. TARGET defaults to MOUSETRAP_SOURCES_FILE.
    The batches are fetched from this machine, without the API.
    """
    from mousetrap.cli import check as work
    from mousetrap.cli import proposal

    if proposal.is_target(target):
        run(proposal.show(options, target))
    else:
        run(work.check(options, target, names))


@sources.command()
@click.argument("name")
@click.argument("target")
@click.option(
    "--file",
    type=click.Path(),
    envvar="MOUSETRAP_SOURCES_FILE",
    default="sources.toml",
    show_default=True,
    help="The sources file; it is made if there is none.",
)
@click.option("--every", metavar="PERIOD", help='The period of its schedule, such as "5m".')
@json_option
@click.pass_obj
def add(options: Options, name: str, target: str, file: str, every: str | None) -> None:
    """Add a source NAME for TARGET, an address or a local file, to a sources.toml.

    The entry is the one that `sources check TARGET` proposes. It is fetched once before it is
    added.
    """
    from mousetrap.cli import proposal

    run(proposal.add(options, name, target, file, every))


@mousetrap.command(
    help="Print the completion script of `mousetrap` for SHELL.\n\n"
    "\b\n"  # keeps the lines as they are
    "bash  mousetrap completion bash > ~/.local/share/bash-completion/completions/mousetrap\n"
    "zsh   mousetrap completion zsh > ~/.zfunc/_mousetrap, a folder of $fpath\n"
    "fish  mousetrap completion fish > ~/.config/fish/completions/mousetrap.fish"
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script of a shell."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion is known for {shell}")
    click.echo(kind(mousetrap, {}, NAME, f"_{NAME.upper()}_COMPLETE").source())
