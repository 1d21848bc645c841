from pathlib import Path

import msgspec
import pytest

from mousetrap.settings import sources
from mousetrap.settings.errors import SettingsError
from mousetrap.settings.secrets import MAX_BYTES, Keyring, Secret
from mousetrap.settings.source_kinds import GeojsonSettings

FEED = 'default = "feed"\n[sources.feed]\nkind = "geojson"\nurl = "https://example.org/"\n'
CANARY = "canary-4f1d9c"


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{CANARY}\n", "utf-8")
    keyring = Keyring({"TOKEN": f" {CANARY}"})

    assert keyring.read(Secret(env="TOKEN")) == CANARY
    assert keyring.read(Secret(file=str(file))) == CANARY
    file.write_text("another", "utf-8")
    assert keyring.read(Secret(file=str(file))) == "another"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty: put the secret into it"),
        (b" \n", "is empty"),
        (CANARY.encode() + b"\r\nX: y", "has a control character or several lines"),
        (CANARY.encode() + b"\xff", "is not in UTF-8"),
        (CANARY.encode() * MAX_BYTES, f"has more than {MAX_BYTES} bytes"),
        (None, r"cannot be read \(No such file or directory\): give it to the fetch worker"),
    ],
)
def test_a_secret_that_cannot_be_used_is_named_and_not_shown(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError, match=f"the file {file} {reason}") as caught:
        Keyring({}).read(Secret(file=str(file)))

    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value.__cause__)


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(SettingsError, match="the environment variable TOKEN is not set: set it"):
        Keyring({}).read(Secret(env="TOKEN"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("headers = { Host = 'a' }", "headers: it has the wrong form"),
        ("headers = { content-LENGTH = '1' }", "headers: it has the wrong form"),
        ("headers = { 'a b' = '1' }", "headers: it has the wrong form"),
        ("headers = { If-None-Match = '1' }", "; it is headers for the origin of its url"),
        ("headers = { Accept-Encoding = 'br' }", "; it is headers for the origin of its url"),
        ('headers = { A = "1\\r\\nB: 2" }', "headers: [...]: it has the wrong form"),
        ("headers = { A = 5 }", "headers: [...]: expected text or table, got whole number"),
        ("headers = { A = {} }", "headers: [...]: expected one of `env` and `file`"),
        ("headers = { A = { env = 'B', file = '/c' } }", "expected one of `env` and `file`"),
        (
            "headers = { A = { env = 'MOUSETRAP_REDIS_URL' } }",
            "headers: [...].env: it has the wrong form",
        ),
        ("headers = { A = { file = 'relative' } }", "headers: [...].file: it has the wrong form"),
        ("headers = { A = { vault = 'B' } }", "unknown key `vault`"),
        ("params = { a = true }", "params: [...]: expected text or table, got `bool`"),
        ("body = 5", "body: expected text or table, got whole number"),
    ],
)
def test_a_request_that_would_not_be_ours_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(FEED + text, "utf-8")

    with pytest.raises(SettingsError) as caught:
        sources.load(path)

    assert f"{path}: [sources.feed]: " in str(caught.value)
    assert reason in str(caught.value)


def test_every_process_reads_the_sources_without_their_secrets(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(
        FEED + "headers = { A = { env = 'NOWHERE' }, B = 'plain' }\n"
        "params = { c = { file = '/nowhere', prefix = 'd ' } }\nbody = { e = [{ f = 1 }] }\n",
        "utf-8",
    )

    feed = sources.load(path).sources["feed"]

    assert isinstance(feed, GeojsonSettings)
    assert feed.headers == {"A": Secret(env="NOWHERE"), "B": "plain"}
    assert feed.params == {"c": Secret(file="/nowhere", prefix="d ")}
    assert feed.body == {"e": [{"f": 1}]}
    assert "canary" not in repr(feed)


def test_a_header_name_is_a_token() -> None:
    """RFC 9110 section 5.6.2."""
    names = ["Authorization", "X-API-Key", "x_key", "Tea", "Ifa", "Hostess", "!#$%&'*+.^_`|~-"]
    entry = {"kind": "geojson", "url": "https://a.test/", "headers": dict.fromkeys(names, "1")}

    assert list(msgspec.convert(entry, GeojsonSettings).headers) == names
