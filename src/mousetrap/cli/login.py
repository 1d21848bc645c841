"""The commands `login` and `logout`."""

import sys

import click

from mousetrap.cli import tokens
from mousetrap.cli.client import Client
from mousetrap.cli.errors import RefusedError
from mousetrap.cli.options import Options
from mousetrap.cli.output import Output
from mousetrap.cli.schema import Session

SESSION = "/dashboard/session"


def ask(options: Options) -> str:
    """Return the token of the options' file, or of the terminal or standard input.

    Blocks. Raises TokenError.
    """
    if options.token_file:
        return tokens.find(options) or ""
    if sys.stdin.isatty():
        text = click.prompt("Token", hide_input=True, err=True)
    else:
        text = sys.stdin.read(tokens.MAX_BYTES)
    return tokens.check(text, "standard input")


async def login(options: Options, token: str) -> None:
    """Show a token to the API, and store it for its URL."""
    output = Output(as_json=options.json)
    async with Client(options.url, options.timeout, token) as client:
        session = client.decode(await client.get(SESSION), Session)
    if session.name is None and session.scopes:
        output.remark(f"{options.url} needs no token")
        return
    if session.name is None:
        raise RefusedError(f"{options.url} does not know this token: nothing was stored")
    path = tokens.store(options.url, token)
    scopes = ", ".join(session.scopes)
    output.remark(f"signed in to {options.url} as {session.name} ({scopes}); stored in {path}")


def logout(options: Options) -> None:
    """Remove the stored token of the URL."""
    known = tokens.forget(options.url)
    text = "signed out of" if known else "no token is stored for"
    Output(as_json=options.json).remark(f"{text} {options.url}")
