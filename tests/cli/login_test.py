"""A token reaches the API for which it is meant, and nobody else."""

import io
import json
from pathlib import Path

import pytest

from cli.conftest import Command
from cli.problems import problem
from support import origin as origins
from support.origin import Origin, answer

SESSION = "/dashboard/session"
KNOWN = json.dumps({"name": "maps", "scopes": ["read", "refresh"]}).encode()
UNKNOWN = json.dumps({"name": None, "scopes": []}).encode()
OPEN = json.dumps({"name": None, "scopes": ["operate", "read"]}).encode()
EMPTY = json.dumps({"items": []}).encode()
JSON = "application/json"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let standard input hold a token."""
    monkeypatch.setattr("sys.stdin", io.StringIO("swordfish\n"))


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return tmp_path / "config/mousetrap/tokens.json"


def has(path: Path) -> bool:
    return path.exists()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def sent(origin: Origin) -> list[str | None]:
    return [request.headers.get("authorization") for request in origin.requests]


@pytest.mark.usefixtures("typed")
async def test_a_stored_token_is_sent_to_its_api_only(
    mousetrap: Command, origin: Origin, stored: Path
) -> None:
    origin.answers(answer(KNOWN, content_type=JSON), path=SESSION)
    origin.answers(answer(EMPTY, content_type=JSON), path="/sources")
    url = origin.url("")

    done = await mousetrap.run("login", "--url", url)
    await mousetrap.run("sources", "--url", url)
    async with origins.running() as other:
        other.answers(answer(EMPTY, content_type=JSON), path="/sources")
        await mousetrap.run("sources", "--url", other.url(""))

    assert (done.code, done.out) == (0, "")
    assert "as maps (read, refresh)" in done.err
    assert "swordfish" not in done.err
    assert (mode(stored), mode(stored.parent)) == (0o600, 0o700)
    assert (sent(origin), sent(other)) == (["Bearer swordfish"] * 2, [None])

    assert "signed out" in (await mousetrap.run("logout", "--url", url)).err
    await mousetrap.run("sources", "--url", url)
    assert sent(origin)[-1] is None
    assert "no token is stored" in (await mousetrap.run("logout", "--url", url)).err


@pytest.mark.usefixtures("typed")
@pytest.mark.parametrize(
    ("reply", "expected"), [(UNKNOWN, (4, "does not know this token")), (OPEN, (0, "needs no"))]
)
async def test_a_token_that_is_of_no_use_is_not_stored(
    mousetrap: Command, origin: Origin, stored: Path, reply: bytes, expected: tuple[int, str]
) -> None:
    origin.answers(answer(reply, content_type=JSON), path=SESSION)

    done = await mousetrap.run("login", "--url", origin.url(""))

    code, said = expected
    assert done.code == code
    assert said in done.err
    assert not has(stored)


@pytest.mark.parametrize("place", ["option", "environment"])
async def test_a_file_may_hold_the_token(
    mousetrap: Command,
    origin: Origin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    origin.answers(answer(EMPTY, content_type=JSON), path="/sources")
    file = tmp_path / "token"
    file.write_text("abc-_.~+/=\n")
    arguments = ["sources", "--url", origin.url("")]
    if place == "option":
        arguments += ["--token-file", str(file)]
    else:
        monkeypatch.setenv("MOUSETRAP_TOKEN_FILE", str(file))

    assert (await mousetrap.run(*arguments)).code == 0

    assert sent(origin) == ["Bearer abc-_.~+/="]


@pytest.mark.parametrize("content", [None, "", "two words", "a\nb", "\u00e9", "x" * 600])
async def test_a_file_without_a_token_is_told_and_not_shown(
    mousetrap: Command,
    origin: Origin,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    monkeypatch.chdir(tmp_path)

    done = await mousetrap.run("sources", "--url", origin.url(""), "--token-file", "token")

    assert done.code == 2
    assert str(file) in done.err
    assert "words" not in done.err
    assert not origin.requests


@pytest.fixture
def damaged(stored: Path) -> None:
    stored.parent.mkdir(parents=True)
    stored.write_text("{")


@pytest.mark.usefixtures("damaged")
async def test_a_damaged_store_is_told(mousetrap: Command, origin: Origin) -> None:
    done = await mousetrap.run("sources", "--url", origin.url(""))

    assert done.code == 2
    assert "sign in again" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "needs a token: `mousetrap login`"), (["--token-file", "TOKEN"], "does not know")],
)
async def test_a_missing_or_unknown_token_is_told_with_the_remedy(
    mousetrap: Command, origin: Origin, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "token").write_text("abc")
    origin.answers(problem(401), path="/sources")

    given = [it.replace("TOKEN", str(tmp_path / "token")) for it in arguments]
    done = await mousetrap.run("sources", "--url", origin.url(""), *given)

    assert done.code == 4
    assert said in done.err


async def test_a_token_without_the_scope_is_told_in_the_words_of_the_api(
    mousetrap: Command, origin: Origin
) -> None:
    origin.answers(problem(403, "The token 'maps' lacks the scope 'refresh'."), path="/refresh")

    done = await mousetrap.run("refresh", "--url", origin.url(""))

    assert done.code == 4
    assert "lacks the scope 'refresh'" in done.err


async def test_a_limit_of_requests_is_waited_for(mousetrap: Command, origin: Origin) -> None:
    origin.answers(problem(429, retry_after=0), answer(EMPTY, content_type=JSON), path="/sources")

    assert (await mousetrap.run("sources", "--url", origin.url(""))).code == 0

    assert len(origin.requests) == 2
