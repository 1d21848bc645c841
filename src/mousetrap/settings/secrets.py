"""Values of `sources.toml` that stand elsewhere: in the environment, or in a file.

Every process reads `sources.toml`, and only those that fetch read the secrets.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from mousetrap.settings.errors import SettingsError

MAX_BYTES: Final = 64 * 1024

# MOUSETRAP_* are for our own servers, and no feed may have their passwords.
Variable = Annotated[
    str,
    Meta(
        pattern=r"^(?!MOUSETRAP_)[A-Za-z_][A-Za-z0-9_]*\Z",
        max_length=200,
        description="the name of an environment variable, which does not begin with MOUSETRAP_",
    ),
]
File = Annotated[
    str,
    Meta(
        pattern=r"^/[^\x00]+\Z",
        max_length=1000,
        description="the absolute path of a file, such as /run/secrets/token",
    ),
]


class Secret(Struct, frozen=True, forbid_unknown_fields=True):
    """A value in the environment variable `env`, or in the `file`, with a `prefix` before it."""

    env: Variable | None = None
    file: File | None = None
    prefix: str = ""

    def __post_init__(self) -> None:
        if (self.env is None) == (self.file is None):
            raise ValueError("Expected one of `env` and `file`")


class Keyring:
    """Reads the secrets of sources.

    Variables are those of `environ`; a file is read each time, so it can be changed at any time.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def read(self, secret: Secret) -> str:
        """Return the value without its prefix, and without white space around it.

        Blocks. Raises SettingsError, which names the variable or the file.
        """
        if secret.env is not None:
            where = f"the environment variable {secret.env}"
            if secret.env not in self._environ:
                raise SettingsError(f"{where} is not set: set it for the fetch worker")
            value = self._environ[secret.env].strip()
        else:
            where = f"the file {secret.file}"
            value = _content(str(secret.file), where)
        if not value:
            raise SettingsError(f"{where} is empty: put the secret into it")
        if not value.isprintable():
            raise SettingsError(f"{where} has a control character or several lines: correct it")
        return value


NO_SECRETS: Final = Keyring({})


def _content(path: str, where: str) -> str:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise SettingsError(f"{where} has more than {MAX_BYTES} bytes: correct it")
        return data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise SettingsError(f"{where} is not in UTF-8: correct it") from None  # it quotes the value
    except OSError as error:
        raise SettingsError(
            f"{where} cannot be read ({error.strerror}): give it to the fetch worker"
        ) from error
