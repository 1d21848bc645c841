"""Bearer tokens (RFC 6750): a file with their digests tells callers apart."""

import asyncio
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from mousetrap.api.http import hosts
from mousetrap.api.http.scopes import Scope
from mousetrap.settings.errors import SettingsError
from mousetrap.settings.process import ApiSettings
from mousetrap.telemetry import logs

COOKIE: Final = "mousetrap_token"
"""The cookie of the dashboard, because an EventSource sends no headers."""

PERIOD: Final = 2.0
MAX_BYTES: Final = 64 * 1024
MAX_TOKEN: Final = 512

_LINE: Final = re.compile(
    r"(?P<name>[a-z\d][a-z\d_-]{0,63})\s+(?P<scopes>[a-z]+(,[a-z]+)*)\s+(?P<digest>[\da-fA-F]{64})"
)
_BEARER: Final = re.compile(rb"bearer +([\w.~+/-]+=*) *", re.IGNORECASE)
"""RFC 6750 section 2.1."""

NEEDED: Final = (
    "MOUSETRAP_HOST is {host}, which others may reach, and the API has no tokens: set"
    " MOUSETRAP_API_TOKENS_FILE (deploy/secrets.sh makes such a file), or MOUSETRAP_OPEN=yes if"
    " everybody who reaches it may do everything"
)
CONTRADICTION: Final = (
    "both MOUSETRAP_API_TOKENS_FILE and MOUSETRAP_OPEN=yes are set: keep one of them"
)

log = logs.logger(__name__)

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request: the name and the scopes of its token.

    All tokens with one name are one caller. Without tokens all callers are ANYBODY. `digest` is
    the SHA-256 of the token.
    """

    name: str | None
    scopes: frozenset[Scope]
    digest: bytes = field(default=b"", compare=False, repr=False)

    def own(self, key: str | None) -> str | None:
        """Return an idempotency key that no other caller can have.

        Keys of callers contain no spaces, and the result has at most 129 characters.
        """
        if key is None or self.name is None:
            return key
        return f"{self.name} {hashlib.sha256(key.encode()).hexdigest()}"


ANYBODY: Final = Caller(None, frozenset(Scope))
NOBODY: Final = Caller(None, frozenset())


class Tokens:
    """The tokens in a file; `watch` reads it again when it has changed, and calls `changed`.

    Raises SettingsError if the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = _read(path)
        self._tokens = _parse(self._content)
        self._trouble = ""
        self.changed: Callable[[], None] = lambda: None

    def find(self, token: bytes) -> Caller | None:
        """Return the caller with a token; the time that it takes tells nothing about the others."""
        if len(token) > MAX_TOKEN:
            return None
        found, digest = None, hashlib.sha256(token).digest()
        for known in self._tokens:
            if hmac.compare_digest(known.digest, digest):
                found = known
        return found

    def allow(self, caller: Caller, needed: Scope) -> bool:
        """Return whether the token of an earlier request still has a scope."""
        return any(it.digest == caller.digest and needed in it.scopes for it in self._tokens)

    async def watch(self) -> NoReturn:
        """Look for a change of the file until cancelled; earlier tokens outlive an invalid file."""
        while True:
            await asyncio.sleep(PERIOD)
            await self.refresh()

    async def refresh(self) -> None:
        """Read the file again."""
        try:
            content = await asyncio.to_thread(_read, self._path)
            if content == self._content:
                self._trouble = ""
                return
            self._tokens, self._content = _parse(content), content
        except SettingsError as error:
            if str(error) != self._trouble:
                reason = str(error)
                log.error(  # noqa: TRY400 - a traceback tells nothing more
                    "the tokens file is invalid, the earlier tokens stay", reason=reason
                )
            self._trouble = str(error)
        else:
            self._trouble = ""
            names = sorted({str(it.name) for it in self._tokens})
            log.info("the tokens were read again", callers=names)
            self.changed()


def load(settings: ApiSettings) -> Tokens | None:
    """Return the tokens of the API; None if everybody may do everything.

    Raises SettingsError without tokens beyond loopback, unless the settings say that this is meant.
    """
    if settings.api_tokens_file:
        if settings.open == "yes":
            raise SettingsError(CONTRADICTION)
        return Tokens(Path(settings.api_tokens_file))
    if settings.open == "no" and not _is_loopback(settings.host):
        raise SettingsError(NEEDED.format(host=settings.host))
    return None


def presented(headers: Headers) -> bytes | None:
    """Return the token of a request, from its Authorization or else from its cookie.

    None if it has neither; empty if what it has is no token. A cookie counts for pages of ours
    only, since browsers send it for other pages of the same site, too.
    """
    token = bearer(headers)
    if token is None:
        token = _from_cookie(headers)
        return token if token is not None and hosts.is_own(headers) else None
    return token


def bearer(headers: Headers) -> bytes | None:
    """Return the token in Authorization, None without that header, empty if it is no token."""
    values = [value for name, value in headers if name == b"authorization"]
    if not values:
        return None
    match = _BEARER.fullmatch(values[0])
    return match[1] if match and len(values) == 1 else b""


def _from_cookie(headers: Headers) -> bytes | None:
    for name, value in headers:
        if name == b"cookie":
            for cookie in value.split(b";"):
                key, _, token = cookie.strip().partition(b"=")
                if key == COOKIE.encode():
                    return token.strip(b'"')
    return None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(
            f"MOUSETRAP_API_TOKENS_FILE: {path.absolute()} cannot be read ({reason})"
        ) from error
    if len(content) > MAX_BYTES:
        raise SettingsError(f"MOUSETRAP_API_TOKENS_FILE has more than {MAX_BYTES} bytes")
    return text


def _parse(text: str) -> tuple[Caller, ...]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not (wanted := line.partition("#")[0].strip()):
            continue
        # No message quotes the line: somebody may have written the token itself.
        match = _LINE.fullmatch(wanted)
        if match is None:
            raise _flaw(number, "write NAME SCOPE,SCOPE SHA-256, as in deploy/README.md")
        scopes = match["scopes"].split(",")
        if unknown := sorted(set(scopes) - set(Scope)):
            raise _flaw(number, f"{unknown[0]!r} is no scope, use {', '.join(Scope)}")
        digest = bytes.fromhex(match["digest"])
        found.append(Caller(match["name"], frozenset(map(Scope, scopes)), digest))
    if not found:
        raise SettingsError("MOUSETRAP_API_TOKENS_FILE has no tokens: add a line for one")
    return tuple(found)


def _flaw(number: int, reason: str) -> SettingsError:
    return SettingsError(f"line {number} of MOUSETRAP_API_TOKENS_FILE: {reason}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
