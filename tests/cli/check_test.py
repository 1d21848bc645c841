"""`sources check`: the file, and what every source gives."""

import asyncio
import json
from pathlib import Path

import pytest

from cli.conftest import Command
from mousetrap.cli.check import Outcome
from mousetrap.sources.errors import DeadlineError
from support.features import collection, feature, unlocated
from support.origin import Origin, answer

STATIONS = collection(
    feature("[10, 20]", properties='{"name": "south"}'),
    feature("[12, 30]", properties='{"name": "north [1]"}'),
    unlocated(),
)


@pytest.fixture
def file(tmp_path: Path, origin: Origin) -> Path:
    origin.answers(answer(STATIONS), path="/stations")
    file = tmp_path / "sources.toml"
    feeds = "".join(
        f'[sources.{name}]\nkind = "geojson"\nurl = "{origin.url(path)}"\nallow_private = true\n'
        for name, path in {"stations": "/stations", "gone": "/gone?key=secret"}.items()
    )
    demo = '[sources.demo]\nkind = "faker"\ncount = 7\n'
    file.write_text(f'default = "stations"\n{feeds}{demo}')
    return file


async def test_what_each_source_gives_is_shown(mousetrap: Command, file: Path) -> None:
    done = await mousetrap.run("sources", "check", str(file), "--source", "stations")

    header, row, answers, left_out = done.out.splitlines()
    assert done.code == 0
    assert header.split() == ["SOURCE", "KIND", "POINTS", "CENTROID", "MOST", "NORTHERLY", "TOOK"]
    told = "stations geojson 2 25.0033° N 10.9592° E 30.0000° N 12.0000° E north [1]"
    assert " ".join(row.split()).startswith(told)
    assert row.endswith(" s")
    assert answers.startswith(f"stations: answers: 1, {len(STATIONS)} bytes in ")
    assert left_out.startswith("stations: left out: 1: 1 ")
    assert done.err.splitlines()[0] == "asking stations"


async def test_a_source_inside_of_the_network_has_to_say_so(
    mousetrap: Command, origin: Origin, tmp_path: Path
) -> None:
    file = tmp_path / "inside.toml"
    feed = f'kind = "geojson"\nurl = "{origin.url()}"'
    await asyncio.to_thread(file.write_text, f'default = "a"\n[sources.a]\n{feed}\n')

    done = await mousetrap.run("sources", "check", str(file))

    assert done.code == 1
    assert "is not at a public address: set `allow_private = true`" in done.out


async def test_what_a_server_said_is_shown_to_the_operator(
    mousetrap: Command, file: Path, origin: Origin
) -> None:
    origin.answers(answer(b"<p>Log in"), path="/stations")

    done = await mousetrap.run("sources", "check", str(file), "--source", "stations")

    assert "\nstations: it said: <p>Log in\n" in done.out


async def test_the_path_of_a_file_that_is_missing_is_shown_to_the_operator(
    mousetrap: Command, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with file.open("a") as more:
        more.write('[sources.missing]\nkind = "file"\npath = "missing.geojson"\n')
    monkeypatch.chdir(file.parent)

    done = await mousetrap.run("sources", "check", file.name, "-s", "missing")

    assert "\nmissing: missing.geojson cannot be read (there is no such file): " in done.out
    assert f"\nmissing: the path is {file.parent}/missing.geojson\n" in done.out


async def test_a_name_property_that_no_point_has_is_told_with_those_that_there_are(
    mousetrap: Command, file: Path
) -> None:
    with file.open("a") as more:
        more.write('[sources.nameless]\nkind = "file"\npath = "nameless.geojson"\n')
    file.with_name("nameless.geojson").write_bytes(
        STATIONS.replace(b'{"name"', b'{"n": 1, "title"')
    )

    done = await mousetrap.run("sources", "check", str(file), "-s", "nameless")

    assert done.code == 0
    assert (
        'warning: no point has a name: name_property is "name", and there are "n", "title"'
        in done.out
    )


async def test_a_source_that_gives_nothing_is_told_with_its_reason(
    mousetrap: Command, file: Path, origin: Origin
) -> None:
    done = await mousetrap.run("sources", "check", str(file))

    _, *rows = done.out.splitlines()
    [reason] = [row for row in rows if row.startswith("gone: ")]
    assert done.code == 1
    assert [row.split()[:3] for row in rows[:3]] == [
        ["demo", "faker", "7"],
        ["gone", "geojson", "none"],
        ["stations", "geojson", "2"],
    ]
    assert reason.startswith(f"gone: 127.0.0.1:{origin.port} answered 404 instead of 200")
    assert done.err.splitlines()[-1] == "mousetrap: 1 of 3 sources gave no batch"
    assert "secret" not in done.out + done.err


def test_a_source_that_was_slow_is_told_in_minutes() -> None:
    outcome = Outcome("slow", "geojson", 90.25, DeadlineError("the batch did not arrive"))

    assert outcome.row()[-1] == "1 min 30 s"


async def test_with_json_every_source_is_a_line(
    mousetrap: Command, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOUSETRAP_SOURCES_FILE", str(file))
    done = await mousetrap.run("sources", "check", "--json")

    demo, gone, stations = (json.loads(line) for line in done.out.splitlines())
    assert done.code == 1
    assert (demo["kind"], demo["ok"], demo["summary"]["count"]) == ("faker", True, 7)
    assert (gone["ok"], gone["summary"], gone["error"]["code"]) == (False, None, "refused")
    assert stations["summary"]["most_northerly"] == {"lat": 30.0, "lon": 12.0, "name": "north [1]"}
    assert stations["summary"]["bbox"] == [10.0, 20.0, 12.0, 30.0]
    assert stations["error"] is None
    assert stations["feed"]["skipped"]["count"] == 1
    assert (demo["feed"]["pages"], stations["feed"]["pages"]) == (0, 1)
    assert gone["feed"] is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("default =", "cannot be read"),
        (
            'default = "x"\n[sources.demo]\nkind = "faker"\n',
            "default: there is no source 'x': one of demo",
        ),
        ('default = "a"\n[sources.a]\nkind = "cvs"\n', "there is no kind 'cvs': did you mean csv?"),
    ],
    ids=["no TOML", "no default", "unknown kind"],
)
async def test_a_file_that_is_wrong_is_told(
    mousetrap: Command, tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(text)

    done = await mousetrap.run("sources", "check", str(file))

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"mousetrap: the sources file {file}")
    assert told in done.err
    assert done.err.count("\n") == 1


async def test_without_a_file_it_is_said_what_to_give(mousetrap: Command) -> None:
    nothing = await mousetrap.run("sources", "check")

    assert nothing.code == 2
    assert "Missing argument 'TARGET'" in nothing.err


@pytest.mark.parametrize(
    ("name", "meant"),
    [("station", "did you mean stations?"), ("other", "one of demo, gone, stations")],
)
async def test_an_unknown_name_is_told_with_the_nearest_one(
    mousetrap: Command, file: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.chdir(file.parent)

    done = await mousetrap.run("sources", "check", file.name, "--source", name)

    assert done.code == 2
    assert f"{file} has no source {name!r}: {meant}\n" in done.err


async def test_a_secret_that_is_missing_is_told_for_the_sources_that_are_asked(
    mousetrap: Command, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    keyed = '[sources.keyed]\nkind = "geojson"\nurl = "https://example.org/"\n'
    headers = "headers = { Authorization = { env = 'NO_SUCH_TOKEN' } }\n"
    text = await asyncio.to_thread(file.read_text, "utf-8")
    await asyncio.to_thread(file.write_text, text + keyed + headers, "utf-8")

    asked = await mousetrap.run("sources", "check", file.name, "--source", "keyed")
    other = await mousetrap.run("sources", "check", file.name, "--source", "demo")

    assert (asked.code, asked.out) == (1, "")
    place = f"the sources file {file}: [sources.keyed]: headers.Authorization"
    assert asked.err.startswith(f"mousetrap: {place}: the environment variable NO_SUCH_TOKEN")
    assert other.code == 0
