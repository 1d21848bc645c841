"""Reads environment variables into one frozen object.

The field `redis_url` is read from `MOUSETRAP_REDIS_URL`, or from the file that
`MOUSETRAP_REDIS_URL_FILE` names: containers get their secrets as files.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from mousetrap.settings.errors import SettingsError

PREFIX = "MOUSETRAP_"
FILE_SUFFIX = "_FILE"
CHECK: Final = "check"
"""The key in the `extra` of a field's Meta of a function that raises ValueError for a bad value.

Its message must not repeat a secret.
"""


def variable(field: str) -> str:
    """Return the name of the environment variable of a field."""
    return PREFIX + field.upper()


def load[S: msgspec.Struct](kind: type[S], known: frozenset[str], environ: Mapping[str, str]) -> S:
    """Read the settings of one process.

    `known` are the fields of all processes, so one environment can serve all of them and a misspelt
    variable is still detected. Raises SettingsError with a line for each invalid variable.
    """
    values, errors = {}, list(_unknown(known, environ))
    for field in msgspec.structs.fields(kind):
        try:
            text = _read(variable(field.name), environ)
            if text is not None:
                values[field.name] = _convert(field, text)
            elif field.required:
                errors.append(f"{variable(field.name)} is not set: {description(field.type)}")
        except SettingsError as error:
            errors.append(str(error))
    _require_none(errors)
    return kind(**values)


def description(annotation: Any) -> str:
    """Return the outermost description in the Meta of a field's annotation, or an empty string."""
    meta = [item for item in getattr(annotation, "__metadata__", ()) if item.description]
    return str(meta[-1].description) if meta else ""


def refuse_unknown(known: frozenset[str], environ: Mapping[str, str]) -> None:
    """Raise SettingsError if a variable has our prefix and is none of the `known` fields."""
    _require_none(list(_unknown(known, environ)))


def _require_none(errors: Sequence[str]) -> None:
    if errors:
        raise SettingsError("\n".join(errors))


def _unknown(known: frozenset[str], environ: Mapping[str, str]) -> Iterator[str]:
    names = {field.upper() + suffix for field in known for suffix in ("", FILE_SUFFIX)}
    for name in sorted(environ):
        bare = name.removeprefix(PREFIX)
        if bare != name and bare not in names:
            close = difflib.get_close_matches(bare, sorted(names), n=1)
            hint = f"did you mean {PREFIX}{close[0]}?" if close else "remove it"
            yield f"{name} is not a setting: {hint}"


def _read(name: str, environ: Mapping[str, str]) -> str | None:
    path = environ.get(name + FILE_SUFFIX)
    if path is None:
        return environ.get(name)
    if name in environ:
        raise SettingsError(f"both {name} and {name}{FILE_SUFFIX} are set: keep one")
    file = Path(path).absolute()
    try:
        return file.read_text("utf-8").strip()
    except UnicodeDecodeError:
        raise SettingsError(
            f"{name}{FILE_SUFFIX}: {file} is not in UTF-8: correct it"
        ) from None  # it quotes the value
    except OSError as error:
        raise SettingsError(
            f"{name}{FILE_SUFFIX}: {file} cannot be read ({error.strerror}): correct the path"
        ) from error


def _convert(field: msgspec.structs.FieldInfo, text: str) -> Any:
    try:
        value = msgspec.convert(text, field.type, strict=False)
    except msgspec.ValidationError as error:
        # The value may be a secret, so the message omits it and any error that quotes it.
        choices = get_args(get_args(field.type)[0])
        if choices:
            reason = f"Expected one of {', '.join(choices)}"
        else:
            reason = "Wrong form" if "matching regex" in str(error) else str(error)
        raise SettingsError(
            f"{variable(field.name)}: {reason}; it is {description(field.type)}"
        ) from None
    for meta in getattr(field.type, "__metadata__", ()):
        if check := (meta.extra or {}).get(CHECK):
            try:
                check(value)
            except ValueError as error:
                raise SettingsError(f"{variable(field.name)}: {error}") from None
    return value
