import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mousetrap.api.http import authentication
from mousetrap.api.http.authentication import COOKIE, Caller, Tokens
from mousetrap.api.http.scopes import Scope
from mousetrap.settings.errors import SettingsError
from mousetrap.settings.process import ApiSettings

SETTINGS = ApiSettings(postgres_dsn="unread", redis_url="unread", sources_file="unread")

BEYOND = ("0.0.0.0", "::", "192.168.1.7", "mousetrap.example")  # noqa: S104


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"# ours\n\nmaps read,refresh {digest('one')}  # of the maps\n")
    return path


def write(file: Path, content: str | None) -> str:
    """Replace the content of a file, or remove it; return the earlier content."""
    before = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_text(content)
    return before


def test_finds_the_caller_of_a_token(file: Path) -> None:
    file.write_text(file.read_text() + f"ops operate {digest('two').upper()}\n")
    tokens = Tokens(file)

    assert tokens.find(b"one") == Caller("maps", frozenset({Scope.READ, Scope.REFRESH}))
    assert tokens.find(b"two") == Caller("ops", frozenset({Scope.OPERATE}))
    for unknown in (b"", b"three", digest("one").encode(), b"x" * 100_000):
        assert tokens.find(unknown) is None


async def test_tokens_are_rotated_without_a_restart(file: Path, events: list[Any]) -> None:
    tokens = Tokens(file)

    write(file, f"maps read {digest('new')}\n")
    await tokens.refresh()

    assert tokens.find(b"one") is None
    assert tokens.find(b"new") == Caller("maps", frozenset({Scope.READ}))
    assert [it["callers"] for it in events] == [["maps"]]


@pytest.mark.parametrize("content", ["", "maps read\n", "maps read swordfish\n", None])
async def test_earlier_tokens_outlive_a_file_that_cannot_be_used(
    file: Path, events: list[Any], content: str | None
) -> None:
    tokens = Tokens(file)
    before = write(file, content)
    await tokens.refresh()
    await tokens.refresh()

    assert tokens.find(b"one")
    [event] = events
    assert event["log_level"] == "error"
    assert "swordfish" not in str(event)

    write(file, before.replace("maps", "charts"))
    await tokens.refresh()
    assert tokens.find(b"one") == Caller("charts", frozenset({Scope.READ, Scope.REFRESH}))


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("maps read swordfish", "NAME SCOPE,SCOPE SHA-256"),
        (f"maps reed {digest('one')}", "'reed' is no scope"),
        (f"maps {digest('one')}", "NAME SCOPE,SCOPE SHA-256"),
        (f"Maps! read {digest('one')}", "NAME SCOPE,SCOPE SHA-256"),
        ("# nothing", "has no tokens"),
        ("x" * 70_000, "bytes"),
        ("\udcff", "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_explained(file: Path, line: str, hint: str) -> None:
    file.write_text(line, errors="surrogateescape")

    with pytest.raises(SettingsError, match=hint) as raised:
        Tokens(file)

    assert "swordfish" not in str(raised.value)


def test_a_file_that_is_missing_is_named_with_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    told = f"MOUSETRAP_API_TOKENS_FILE: {tmp_path}/tokens cannot be read \\(No such file"
    with pytest.raises(SettingsError, match=told):
        Tokens(Path("tokens"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_tokens(host: str) -> None:
    assert authentication.load(msgspec.structs.replace(SETTINGS, host=host)) is None


@pytest.mark.parametrize("host", BEYOND)
def test_beyond_loopback_somebody_has_to_say_who_may_do_what(host: str, file: Path) -> None:
    beyond = msgspec.structs.replace(SETTINGS, host=host)

    with pytest.raises(SettingsError, match=r"MOUSETRAP_API_TOKENS_FILE.*MOUSETRAP_OPEN=yes"):
        authentication.load(beyond)

    assert authentication.load(msgspec.structs.replace(beyond, open="yes")) is None
    assert authentication.load(msgspec.structs.replace(beyond, api_tokens_file=str(file)))


def test_tokens_and_an_open_api_contradict_each_other(file: Path) -> None:
    with pytest.raises(SettingsError, match="keep one"):
        authentication.load(
            msgspec.structs.replace(SETTINGS, open="yes", api_tokens_file=str(file))
        )


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ([], None),
        ([("authorization", "Bearer abc.~+/-_1=")], b"abc.~+/-_1="),
        ([("authorization", "bEARER  abc ")], b"abc"),
        ([("authorization", "Basic YTpi")], b""),
        ([("authorization", "Bearer")], b""),
        ([("authorization", "Bearer a b")], b""),
        ([("authorization", "Bearer abc"), ("authorization", "Bearer abc")], b""),
        ([("cookie", f"a=b; {COOKIE}=abc; c=d")], b"abc"),
        ([("cookie", "a=b"), ("cookie", f'{COOKIE}="abc/="')], b"abc/="),
        ([("cookie", f"x{COOKIE}=abc; y={COOKIE}=abc")], None),
        ([("authorization", "Bearer"), ("cookie", f"{COOKIE}=abc")], b""),
    ],
)
def test_a_token_is_in_authorization_or_else_in_the_cookie(
    headers: list[tuple[str, str]], token: bytes | None
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers]

    assert authentication.presented(raw) == token


def test_idempotency_keys_of_two_callers_differ() -> None:
    one, other = Caller("a", frozenset()), Caller("b", frozenset())
    longest = Caller("a" * 64, frozenset()).own("x" * 255)

    assert one.own("key") == one.own("key") != other.own("key")
    assert one.own("a") != Caller(None, frozenset()).own("a") == "a"
    assert one.own(None) is None
    assert longest
    assert len(longest) <= 255
