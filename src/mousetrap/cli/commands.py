"""The commands and their options, declared with Click.

A command imports its dependencies when it runs, to keep `--help` and completion fast.
"""

import uuid
from pathlib import Path

import click
from click.shell_completion import get_completion_class

import mousetrap as package
from mousetrap.cli.errors import ExitCode
from mousetrap.cli.options import Options
from mousetrap.cli.parameters import (
    all_option,
    api_options,
    connection_options,
    json_option,
    limit_option,
    run,
    since_option,
    source_names,
    source_option,
    until_option,
    url_option,
    wait_option,
)

NAME = "mousetrap"
SHELLS = ("bash", "zsh", "fish")
STATES = ("queued", "succeeded", "failed")


@click.group(
    name=NAME,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: " + "; ".join(f"{code.value} {code.meaning}" for code in ExitCode) + ".",
)
@api_options(from_environment=True)
@click.version_option(package.__version__, "-V", "--version", message="%(prog)s %(version)s")
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
    "-k",
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


@mousetrap.command("latest")
@click.option(
    "-s",
    "--source",
    metavar="NAME",
    shell_complete=source_names,
    help="This source instead of the default one.",
)
@api_options()
@click.pass_obj
def newest(options: Options, source: str | None) -> None:
    """Show the newest summary."""
    from mousetrap.cli import queries

    run(queries.newest(options, source))


@mousetrap.command()
@click.argument("job", type=click.UUID)
@api_options()
@click.pass_obj
def summary(options: Options, job: uuid.UUID) -> None:
    """Show the summary of JOB."""
    from mousetrap.cli import queries

    run(queries.summary(options, str(job)))


@mousetrap.command()
@source_option
@since_option
@until_option
@limit_option
@all_option
@api_options()
@click.pass_obj
def summaries(  # noqa: PLR0913 - each is an option
    options: Options,
    source: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    *,
    everything: bool,
) -> None:
    """List summaries, the newest first."""
    from mousetrap.cli import queries

    query = {"source": source, "since": since, "until": until}
    run(queries.summaries(options, query, None if everything else limit))


@mousetrap.command()
@api_options()
@click.pass_obj
def status(options: Options) -> None:
    """Show queues, workers and sources in one screen."""
    from mousetrap.cli import status as work

    run(work.status(options))


@mousetrap.command(name="open")
@url_option()
@click.pass_obj
def open_dashboard(options: Options) -> None:
    """Open the dashboard in a browser, and print its address."""
    address = f"{options.url}/dashboard"
    click.echo(address)
    click.launch(address)


@mousetrap.command()
@click.argument("job", type=click.UUID)
@api_options()
@click.pass_obj
def job(options: Options, job: uuid.UUID) -> None:
    """Show JOB and its failed attempts."""
    from mousetrap.cli import queries

    run(queries.job(options, str(job)))


@mousetrap.command()
@click.option("-S", "--state", type=click.Choice(STATES), help="Only jobs in this state.")
@source_option
@since_option
@until_option
@limit_option
@all_option
@api_options()
@click.pass_obj
def jobs(  # noqa: PLR0913, PLR0917 - each is an option
    options: Options,
    state: str | None,
    source: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    *,
    everything: bool,
) -> None:
    """List jobs, the newest first."""
    from mousetrap.cli import queries

    query = {"state": state, "source": source, "since": since, "until": until}
    run(queries.jobs(options, query, None if everything else limit))


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
    "-s",
    "--source",
    "names",
    metavar="NAME",
    multiple=True,
    help="Check only this source; repeatable.",
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
        run(work.check(options, Path(target).absolute(), names))


@sources.command()
@click.argument("name")
@click.argument("target")
@click.option(
    "-f",
    "--file",
    type=click.Path(),
    envvar="MOUSETRAP_SOURCES_FILE",
    default="sources.toml",
    show_default=True,
    help="The sources file; it is made if there is none.",
)
@click.option("-e", "--every", metavar="PERIOD", help='The period of its schedule, such as "5m".')
@json_option
@click.pass_obj
def add(options: Options, name: str, target: str, file: str, every: str | None) -> None:
    """Add a source NAME for TARGET, an address or a local file, to a sources.toml.

    The entry is the one that `sources check TARGET` proposes. It is fetched once before it is
    added.
    """
    from mousetrap.cli import proposal

    run(proposal.add(options, name, target, Path(file).absolute(), every))


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
