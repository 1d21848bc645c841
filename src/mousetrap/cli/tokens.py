"""The token of a command: in a file that the caller names, or stored by `mousetrap login`."""

import os
import re
from pathlib import Path
from typing import Final

import click
import msgspec

from mousetrap.cli.errors import TokenError, reason
from mousetrap.cli.options import Options

MAX_BYTES: Final = 64 * 1024
FORM: Final = re.compile(r"[A-Za-z0-9._~+/-]{1,512}=*")


def find(options: Options) -> str | None:
    """Return the token to send, None without one; raises TokenError if a file has none.

    A stored token is sent to the URL for which it was stored and to no other one.
    """
    if options.token_file:
        path = Path(options.token_file).absolute()
        return check(_read(path), f"the file {path}")
    return _stored().get(options.url)


def check(text: str, where: str) -> str:
    """Return a token without the white space around it; raises TokenError if it is none."""
    token = text.strip()
    if not FORM.fullmatch(token):
        raise TokenError(f"{where} holds no token: ask the operator of the API for one")
    return token


def store(url: str, token: str) -> Path:
    """Keep a token for a URL, readable by its owner only; return where."""
    return _write(_stored() | {url: token})


def forget(url: str) -> bool:
    """Remove the token of a URL; return whether there was one."""
    stored = _stored()
    if url not in stored:
        return False
    del stored[url]
    _write(stored)
    return True


def _path() -> Path:
    return Path(click.get_app_dir("mousetrap"), "tokens.json")


def _stored() -> dict[str, str]:
    path = _path()
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(_read(path), type=dict[str, str])
    except msgspec.DecodeError as error:
        raise TokenError(f"{path} is damaged ({error}): remove it, and sign in again") from None


def _write(tokens: dict[str, str]) -> Path:
    path = _path()
    part = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The mode holds from the beginning, so nobody else reads it in between.
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(msgspec.json.encode(tokens))
        part.replace(path)
    except OSError as error:
        raise TokenError(f"{path} cannot be written: {reason(error)}") from error
    return path


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(MAX_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise TokenError(f"{path} cannot be read: {reason(error)}") from error
