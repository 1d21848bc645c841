"""Proposes the entry of `sources.toml` for an address or a file, and adds it."""

import asyncio
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from mousetrap.cli import check
from mousetrap.cli import map as maps
from mousetrap.cli.errors import CheckFailedError, reason
from mousetrap.cli.options import Options
from mousetrap.cli.output import Output
from mousetrap.settings import sources as settings
from mousetrap.settings.errors import SettingsError
from mousetrap.sources.catalogue import Catalogue
from mousetrap.sources.detection import Keys, detect
from mousetrap.sources.errors import PrivateAddressError, SourceError
from mousetrap.sources.fetched import Fetched
from mousetrap.sources.http import urls
from mousetrap.sources.http.body import GZIP, GZIP_WINDOW, Allowance
from mousetrap.sources.http.download import NO_VERSION, Downloader, Request
from mousetrap.sources.packed import whole

MAX_BYTES: Final = 8 * 1024 * 1024
"""The default of `max_bytes`, so that what is proposed can be fetched with it."""
DEADLINE: Final = 30.0
NAME: Final = "feed"

_ADDRESS: Final = re.compile(r"https?://", re.IGNORECASE)
_UNNAMED: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Proposal:
    """The entry of a source, and the batch that it gives."""

    name: str
    keys: Mapping[str, Any]
    fetched: Fetched

    def toml(self) -> str:
        """Return the lines for `sources.toml`."""
        lines = (f"{key} = {_value(value)}" for key, value in self.keys.items())
        return "\n".join([f"[sources.{self.name}]", *lines]) + "\n"


def is_target(text: str) -> bool:
    """Return whether this is an address or a file of points, and not a `sources.toml`."""
    return bool(_ADDRESS.match(text)) or (not text.endswith(".toml") and Path(text).is_file())


async def show(options: Options, target: str) -> None:
    """Show the entry for an address or a file, and what it gives."""
    output = Output(as_json=options.json)
    proposal = await _propose(output, target, None)
    outcome = await check.outcome_of(proposal.name, str(proposal.keys["kind"]), proposal.fetched)
    if output.as_json:
        output.document(msgspec.json.encode(outcome.document() | {"entry": dict(proposal.keys)}))
        return
    check.report(output, [outcome])
    for line in maps.draw(whole(proposal.fetched.batch)):
        output.show(line)
    output.show(f"\n{proposal.toml()}")
    output.remark(f"`mousetrap sources add NAME {target}` writes this entry to sources.toml")


async def add(options: Options, name: str, target: str, path: Path, every: str | None) -> None:
    """Add the entry for an address or a file to the file at `path`, made if there is none."""
    output = Output(as_json=options.json)
    before = await asyncio.to_thread(_read, path)
    if before and name in _names(path):
        raise CheckFailedError(f"{path} has a source {name!r}: choose another name")
    proposal = await _propose(output, target, name, relative_to=path.parent)
    entry = Proposal(
        name, {**proposal.keys, **({"every": every} if every else {})}, proposal.fetched
    )
    head = before.rstrip("\n") + "\n" if before else f'default = "{name}"\n'
    await asyncio.to_thread(_write, path, f"{head}\n{entry.toml()}")
    output.show(entry.toml())
    output.remark(f"added to {path}; the processes read it when they start again")


async def _propose(
    output: Output, target: str, name: str | None, *, relative_to: Path | None = None
) -> Proposal:
    chosen = name or _named(target)
    with output.progress(f"asking {target}"):
        try:
            keys = await (
                _of_url(target) if _ADDRESS.match(target) else _of_file(target, relative_to)
            )
            return Proposal(chosen, keys, await _fetched(chosen, keys, relative_to or Path()))
        except SourceError as error:
            more = f" ({check.detail(error)})" if error.excerpt else ""
            raise CheckFailedError(f"{_whole(target)}: {error}{more}") from None


async def _of_url(url: str) -> Keys:
    keys: Keys = {"url": url}
    try:
        document = await _download(url, allow_private=False)
    except PrivateAddressError:  # a person who names the address means it
        document = await _download(url, allow_private=True)
        keys["allow_private"] = True
    found = detect(document)
    return {"kind": found.pop("kind"), **keys, **found}


async def _download(url: str, *, allow_private: bool) -> bytes:
    downloader = Downloader(max_connections=1, network=check.own_network())
    try:
        async with (
            asyncio.timeout(DEADLINE),
            downloader.ask(
                Request(urls.parse(url)),
                media_types=("application/geo+json", "application/json", "text/csv"),
                allowance=Allowance(MAX_BYTES),
                max_redirects=3,
                known=NO_VERSION,
                allow_private=allow_private,
            ) as answer,
        ):
            return b"" if answer is None else b"".join([it async for it in answer.pieces])
    except TimeoutError:
        raise CheckFailedError(f"{url} did not answer within {DEADLINE:g} s: try again") from None
    finally:
        await downloader.close()


async def _of_file(text: str, relative_to: Path | None) -> Keys:
    path = Path(text)
    found = detect(await asyncio.to_thread(_document, path))
    kind = found.pop("kind")
    return {"kind": "file", "path": _shown(path, relative_to), "format": kind, **found}


def _shown(path: Path, folder: Path | None) -> str:
    """Return the path as an entry has it: relative to the folder of its file, if it is below."""
    if folder is None:
        return str(path)
    absolute, above = path.absolute(), folder.absolute()
    return str(absolute.relative_to(above) if absolute.is_relative_to(above) else absolute)


def _document(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            document = file.read(MAX_BYTES)
        if document.startswith(GZIP):
            return zlib.decompressobj(GZIP_WINDOW).decompress(document, MAX_BYTES)
    except (OSError, zlib.error) as error:
        raise CheckFailedError(f"{path.absolute()} cannot be read: {reason(error)}") from None
    return document


async def _fetched(name: str, keys: Mapping[str, Any], folder: Path) -> Fetched:
    """Return what the entry gives, read as a process would read it."""
    try:
        sources = settings.of({"default": name, "sources": {name: dict(keys)}}, folder, "the entry")
    except SettingsError as error:
        raise CheckFailedError(f"{error}: write the entry by hand") from None
    async with Catalogue(sources, network=check.own_network()) as catalogue:
        return await catalogue.fetch(name)


def _whole(target: str) -> str:
    """Return an address, or the absolute path of a file."""
    return target if _ADDRESS.match(target) else str(Path(target).absolute())


def _named(target: str) -> str:
    stem = target.split("?", maxsplit=1)[0].rstrip("/").rpartition("/")[2].split(".")[0]
    return _UNNAMED.sub("-", stem.lower()).strip("-")[:64] or NAME


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise CheckFailedError(f"{path} cannot be read: {reason(error)}") from None


def _names(path: Path) -> set[str]:
    try:
        return set(settings.load(path).sources)
    except SettingsError as error:
        raise CheckFailedError(f"{error}: correct it first") from None


def _write(path: Path, text: str) -> None:
    """Replace a file whole, once it can be loaded."""
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_text(text, "utf-8")
        settings.load(draft)
        draft.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        draft.replace(path)
    except SettingsError as error:
        raise CheckFailedError(f"the entry cannot be added: {error}") from None
    except OSError as error:
        raise CheckFailedError(f"{path} cannot be written: {reason(error)}") from None
    finally:
        draft.unlink(missing_ok=True)


def _value(value: object) -> str:
    # JSON's strings, numbers and booleans are TOML's, but for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
