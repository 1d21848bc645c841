import json
import re
from pathlib import Path

import msgspec
import pytest

from mousetrap.settings import environment, sources
from mousetrap.settings.errors import SettingsError
from mousetrap.settings.source_kinds import KINDS, FakerSettings, GeojsonSettings
from mousetrap.settings.sources import Sources

DEFAULT = 'default = "demo"\n'
DEMO = '[sources.demo]\nkind = "faker"\n'
FEED = '[sources.feed]\nkind = "geojson"\n'
URL = 'url = "https://example.org/feed.geojson"\n'
NAMES = [str(kind.__struct_config__.tag) for kind in KINDS]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sources.toml"


def complaint(path: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        sources.load(path)
    message = str(caught.value)
    assert str(path) in message
    return message.replace(str(path), "FILE")


def test_sources_are_read_with_their_defaults(path: Path) -> None:
    path.write_text(DEFAULT + DEMO + FEED + URL, "utf-8")

    assert sources.load(path) == Sources(
        default="demo",
        sources={
            "demo": FakerSettings(count=100),
            "feed": GeojsonSettings(
                url="https://example.org/feed.geojson",
                name_property="name",
                deadline=20,
                max_bytes=8_388_608,
                max_points=100_000,
                max_redirects=3,
            ),
        },
    )


def test_a_byte_order_mark_is_ignored(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + (DEFAULT + DEMO).encode())

    assert sources.load(path).default == "demo"


def test_every_limit_can_be_set(path: Path) -> None:
    limits = 'name_property = "place"\ndeadline = 1.5\nmax_bytes = 10\nmax_points = 20\n'
    path.write_text(f"{DEFAULT}{DEMO}count = 7\n{FEED}{URL}{limits}max_redirects = 0\n", "utf-8")

    assert sources.load(str(path)).sources == {
        "demo": FakerSettings(count=7),
        "feed": GeojsonSettings(
            url="https://example.org/feed.geojson",
            name_property="place",
            deadline=1.5,
            max_bytes=10,
            max_points=20,
            max_redirects=0,
        ),
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "FILE has 2 errors:\n  sources: it is missing: a table [sources.NAME] for each"),
        (DEMO, "FILE: default: it is missing: the name of the source of requests that name none"),
        (DEFAULT, "FILE: sources: it is missing: a table [sources.NAME] for each source"),
        (DEFAULT + "[sources]\n", "FILE: sources: expected table of length >= 1"),
        (DEFAULT + "sources = 5\n", "FILE: sources: expected table, got whole number"),
        (DEFAULT + "other = 1\n" + DEMO, "FILE: other: unknown key: remove it"),
        ('defualt = "demo"\n' + DEMO, "  defualt: unknown key: did you mean default?"),
        (
            DEFAULT + DEMO + '[feed]\nkind = "faker"\n',
            "[feed]: unknown key: a source is a table below `sources`: write [sources.feed]",
        ),
        ('default = "A"\n' + DEMO, "FILE: default: it has the wrong form; it is the name of"),
        ("default = 5\n" + DEMO, "FILE: default: expected text, got whole number"),
        ("default = \n", "FILE cannot be read: Invalid value (at line 1"),
        (DEFAULT + DEMO + DEMO, "FILE cannot be read: Cannot declare"),
        ('default = "dmo"\n' + DEMO, "default: there is no source 'dmo': did you mean demo?"),
        (DEFAULT + "[sources]\ndemo = 5\n", "[sources.demo]: a source is a table with a `kind`"),
        (
            DEFAULT + "[sources.demo]\n",
            f"[sources.demo]: kind: it is missing: one of {', '.join(NAMES)}",
        ),
        (
            DEFAULT + '[sources.demo]\nkind = "fakr"\n',
            "[sources.demo]: kind: there is no kind 'fakr': did you mean faker?",
        ),
        (
            DEFAULT + '[sources.demo]\nkind = "xyz"\n',
            f"[sources.demo]: kind: there is no kind 'xyz': one of {', '.join(NAMES)}",
        ),
        (DEFAULT + "[sources.demo]\nkind = 5\n", "[sources.demo]: kind: it has to be a text"),
        (
            DEFAULT + DEMO + "counts = 5\n",
            "[sources.demo]: counts: unknown key of the kind faker: did you mean count?",
        ),
        (
            DEFAULT + DEMO + "decimal_comma = true\n",
            "decimal_comma: unknown key of the kind faker: it belongs to csv, file",
        ),
        (
            DEFAULT + DEMO + 'count = "5"\n',
            "[sources.demo]: count: expected whole number, got text",
        ),
        (DEFAULT + DEMO + "count = 0\n", "[sources.demo]: count: expected whole number >= 1"),
        (
            DEFAULT + DEMO + "count = 100_001\n",
            "[sources.demo]: count: expected whole number <= 100000",
        ),
        (DEFAULT + DEMO + FEED, "[sources.feed]: url: it is missing: an address of http://"),
    ],
)
def test_an_error_names_the_file_and_the_entry(path: Path, text: str, reason: str) -> None:
    path.write_text(text, "utf-8")

    assert reason in complaint(path)


@pytest.mark.parametrize(
    "limit",
    [
        "deadline = 0",
        "deadline = 601",
        "deadline = nan",
        "deadline = inf",
        "max_bytes = 0",
        "max_bytes = 268_435_457",
        "max_points = 0",
        "max_points = 1_000_001",
        "max_redirects = -1",
        "max_redirects = 11",
        'name_property = ""',
        'name_property = "a\\"b"',
        'name_property = "a\\\\b"',
        'name_property = "a\\nb"',
        'group_by = ""',
        'value_property = "a\\nb"',
        'geometry = "lines"',
        "max_bad = -1",
        "max_bad = 1_000_001",
        "max_bad = true",
        "max_bad = 0.05",
        'max_bad = "5"',
        'max_bad = "101%"',
        'max_bad = "1.2345%"',
    ],
)
def test_a_limit_has_limits(path: Path, limit: str) -> None:
    path.write_text(DEFAULT + DEMO + FEED + URL + limit + "\n", "utf-8")

    message = complaint(path)

    assert re.search(
        rf"\[sources\.feed\]: {limit.partition(' ')[0]}: (expected|invalid|it has)", message
    )
    assert "; it is " in message


@pytest.mark.parametrize("max_bad", [0, 250_000, "0%", "5%", "0.125%", "100%"])
def test_bad_features_are_bounded_by_a_number_or_a_share(path: Path, max_bad: int | str) -> None:
    path.write_text(f"{DEFAULT}{DEMO}{FEED}{URL}max_bad = {json.dumps(max_bad)}\n", "utf-8")

    [_, feed] = sources.load(path).sources.values()

    assert isinstance(feed, GeojsonSettings)
    assert feed.max_bad == max_bad


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "http://127.0.0.1:8080/feed",
        "https://[2001:db8::1]/feed",
        "https://example.org?key=a@b",
        "https://example.org/a/b@c?d#e",
    ],
)
def test_a_url_is_http_or_https(path: Path, url: str) -> None:
    path.write_text(f'{DEFAULT}{DEMO}{FEED}url = "{url}"\n', "utf-8")

    assert isinstance(sources.load(path).sources["feed"], GeojsonSettings)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.org/",
        "example.org",
        "http://",
        "http:///feed",
        "http://example.org/a b",
        "http://example.org/\\n",
        "https://user:hunter2@example.org/",
        "https://hunter2@example.org/",
        "https://example.org/" + "a" * 2000,
    ],
)
def test_any_other_url_is_refused_and_not_repeated(path: Path, url: str) -> None:
    path.write_text(f'{DEFAULT}{DEMO}{FEED}url = "{url}"\n', "utf-8")

    message = complaint(path)

    assert re.search(r"\[sources.feed\]: url: (expected|it has the wrong form)", message)
    assert message.endswith("; it is an address of http:// or https://, without user and password")
    assert "hunter2" not in message


@pytest.mark.parametrize("name", ["A", "", "a b", "a.b", "-a", "é", "a\\n", "a" * 65])
def test_a_name_is_fit_for_a_url(path: Path, name: str) -> None:
    path.write_text(f'{DEFAULT}{DEMO}[sources."{name}"]\nkind = "faker"\n', "utf-8")

    assert re.search(
        r"\[sources\..*\]: the name: (expected|it has the wrong form)", complaint(path)
    )


def test_there_are_not_too_many_sources(path: Path) -> None:
    entries = "".join(f'[sources.s{number}]\nkind = "faker"\n' for number in range(1000))
    path.write_text(DEFAULT + DEMO + entries, "utf-8")

    assert "sources: expected table of length <= 1000" in complaint(path)


def test_all_errors_of_a_file_are_told_at_once_and_without_patterns(path: Path) -> None:
    wrong = 'every = "5"\ndeadline = "1"\nheaders = { "A b" = "c", X = { env = 5 } }\n'
    path.write_text('default = "x"\n' + DEMO + "count = 0\n" + FEED + wrong, "utf-8")

    first, *others = complaint(path).splitlines()

    assert first == "the sources file FILE has 6 errors:"
    assert [line.split(": ")[:2] for line in others] == [
        ["  [sources.demo]", "count"],
        ["  [sources.feed]", "deadline"],
        ["  [sources.feed]", "every"],
        ["  [sources.feed]", "headers"],
        ["  [sources.feed]", "url"],
        ["  default", "there is no source 'x'"],
    ]
    assert not re.search(r"regex|\^|\\|\?!|`(str|int|float|object)", "\n".join(others))


def test_a_relative_path_is_told_in_full(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)

    with pytest.raises(SettingsError, match=re.escape(f"{path} cannot be read: No such file")):
        sources.load("sources.toml")


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    assert complaint(path).startswith("the sources file FILE cannot be read: ")


def test_a_file_that_is_not_text_is_named(path: Path) -> None:
    path.write_bytes(b"\xff")

    assert complaint(path).startswith("the sources file FILE cannot be read: ")


def test_sources_cannot_be_changed(path: Path) -> None:
    path.write_text(DEFAULT + DEMO, "utf-8")
    found = sources.load(path)

    with pytest.raises(AttributeError):
        found.default = "other"  # type: ignore[misc] # that is the point
    with pytest.raises(AttributeError):
        found.sources["demo"].count = 5  # type: ignore[attr-defined] # that is the point


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_described_and_every_default_is_allowed(kind: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(kind):
        assert environment.description(field.type)
        if field.default is not msgspec.NODEFAULT:
            assert msgspec.convert(field.default, field.type) == field.default
        elif field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
            assert msgspec.convert(default, field.type) == default
