"""The headers, parameters and body of a source's own, with their secrets read."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from mousetrap.settings.errors import SettingsError
from mousetrap.settings.secrets import Keyring, Secret
from mousetrap.settings.source_kinds import HttpSettings
from mousetrap.settings.sources import Sources

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
_FIELD: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
"""The value of a header (RFC 9110 section 5.5), without the obsolete bytes beyond ASCII."""


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """A source's own part of a request, for the origin of its url alone.

    `secrets` are the values that must not be shown anywhere.
    """

    headers: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    secrets: frozenset[str] = frozenset()


NONE: Final = Credentials()


def are_set(settings: HttpSettings) -> bool:
    """Return whether a source has a part of its own."""
    return bool(settings.headers or settings.params or settings.body is not None)


def read(settings: HttpSettings, keyring: Keyring) -> Credentials:
    """Read the secrets of one source.

    Blocks. Raises SettingsError, whose message names the key, and the variable or file.
    """
    reader = _Reader(keyring)
    headers = {name: reader.header(name, value) for name, value in settings.headers.items()}
    params = {name: reader.text(f"params.{name}", it) for name, it in settings.params.items()}
    body = None
    if settings.body is not None:
        value = reader.json("body", settings.body)
        body = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
        if "content-type" not in map(str.lower, headers):
            headers["Content-Type"] = FORM if isinstance(value, str) else JSON
    return Credentials(headers, params, body, frozenset(reader.secrets))


def check(file: str | Path, sources: Sources, keyring: Keyring, names: Iterable[str]) -> None:
    """Raise SettingsError when a secret of one of these sources of `file` cannot be used."""
    where = f"the sources file {Path(file).absolute()}"
    for name in names:
        settings = sources.sources[name]
        if isinstance(settings, HttpSettings):
            try:
                read(settings, keyring)
            except SettingsError as error:
                raise SettingsError(f"{where}: [sources.{name}]: {error}") from error


class _Reader:
    """Reads values, and remembers which of them are secret."""

    def __init__(self, keyring: Keyring) -> None:
        self.secrets: set[str] = set()
        self._keyring = keyring

    def header(self, name: str, value: str | Secret) -> str:
        text = self.text(f"headers.{name}", value)
        if not _FIELD.fullmatch(text):
            raise SettingsError(
                f"headers.{name}: the value is empty, or has a character that no header may have:"
                " use printable ASCII"
            )
        return text

    def text(self, key: str, value: str | Secret) -> str:
        if isinstance(value, str):
            return value
        try:
            secret = self._keyring.read(value)
        except SettingsError as error:
            raise SettingsError(f"{key}: {error}") from error
        self.secrets.add(secret)
        return value.prefix + secret

    def json(self, key: str, value: Any) -> Any:
        """Return a value of a body, with texts in place of secrets at any depth."""
        if isinstance(value, list):
            return [self.json(f"{key}[{index}]", it) for index, it in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if not ({"env", "file"} & value.keys() and value.keys() <= {"env", "file", "prefix"}):
            return {name: self.json(f"{key}.{name}", it) for name, it in value.items()}
        try:
            return self.text(key, msgspec.convert(value, Secret))
        except msgspec.ValidationError as error:
            raise SettingsError(f"{key}: {error}") from error
