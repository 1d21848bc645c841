"""`sources check` of a feed, and `sources add`."""

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Command
from support.features import collection, feature
from support.origin import Origin, answer

STATIONS = collection(
    feature("[10, 20]", properties='{"title": "south"}'),
    feature("[12, 30]", properties='{"title": "north"}'),
)
TABLE = "Station;Latitude;Longitude\nSuva;-18,14;178,44\nApia;-13,83;-171,76\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "stations.csv"
    file.write_text(TABLE)
    return file


async def read(file: Path) -> dict[str, Any]:
    return tomllib.loads(await asyncio.to_thread(file.read_text))


async def test_the_entry_for_an_address_is_proposed_and_its_points_are_drawn(
    mousetrap: Command, origin: Origin
) -> None:
    origin.answers(answer(STATIONS), path="/stations.geojson")

    done = await mousetrap.run("sources", "check", origin.url("/stations.geojson"))

    assert done.code == 0, done.err
    entry = tomllib.loads(done.out[done.out.index("[sources") :])
    assert entry["sources"]["stations"] == {
        "kind": "geojson",
        "url": origin.url("/stations.geojson"),
        "allow_private": True,
        "name_property": "title",
    }
    assert "30.0000° N 12.0000° E north" in done.out
    assert "┌" in done.out
    assert "`mousetrap sources add NAME" in done.err


async def test_the_entry_for_a_file_is_proposed(mousetrap: Command, table: Path) -> None:
    done = await mousetrap.run("sources", "check", str(table), "--json")

    found = json.loads(done.out)
    assert found["entry"] == {
        "kind": "file",
        "path": str(table),
        "format": "csv",
        "lat": "Latitude",
        "lon": "Longitude",
        "name": "Station",
        "decimal_comma": True,
    }
    assert (found["ok"], found["summary"]["count"]) == (True, 2)


async def test_an_entry_is_added_to_a_file_that_is_made(
    mousetrap: Command, table: Path, tmp_path: Path
) -> None:
    file = tmp_path / "sources.toml"

    done = await mousetrap.run(
        "sources", "add", "a", str(table), "--file", str(file), "--every", "5m"
    )

    assert done.code == 0, done.err
    written = await read(file)
    assert written["default"] == "a"
    # The path is relative to the folder of the file, so that both can move together.
    assert written["sources"]["a"]["path"] == "stations.csv"
    assert written["sources"]["a"]["every"] == "5m"
    assert (await mousetrap.run("sources", "check", str(file))).code == 0


async def test_what_is_in_the_file_stays_as_it_is(
    mousetrap: Command, table: Path, tmp_path: Path
) -> None:
    file = tmp_path / "sources.toml"
    before = '# ours\ndefault = "demo"\n\n[sources.demo]\nkind = "faker" # invented\n'
    await asyncio.to_thread(file.write_text, before)
    await asyncio.to_thread(file.chmod, 0o600)

    done = await mousetrap.run("sources", "add", "a", str(table), "--file", str(file))

    assert done.code == 0, done.err
    assert (await asyncio.to_thread(file.read_text)).startswith(before)
    assert set((await read(file))["sources"]) == {"a", "demo"}
    assert (await asyncio.to_thread(file.stat)).st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["demo", "TABLE"], "FOLDER/sources.toml has a source 'demo': choose another name"),
        (["Not a name", "TABLE"], "made of lower-case letters"),
        (["a", "TABLE", "--every", "soon"], 'such as "30s"'),
        (["a", "sources.toml"], "mousetrap: FOLDER/sources.toml: "),
        (["a", "no.csv"], "mousetrap: FOLDER/no.csv cannot be read: No such file or directory"),
    ],
)
async def test_a_file_stays_as_it_is_when_nothing_can_be_added(
    mousetrap: Command,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    reason: str,
) -> None:
    folder = table.parent
    monkeypatch.chdir(folder)
    file = folder / "sources.toml"
    before = 'default = "demo"\n[sources.demo]\nkind = "faker"\n'
    await asyncio.to_thread(file.write_text, before)
    given = [table.name if it == "TABLE" else it for it in arguments]

    done = await mousetrap.run("sources", "add", *given, "--file", file.name)

    assert done.code == 1
    assert reason.replace("FOLDER", str(folder)) in done.err
    assert await asyncio.to_thread(file.read_text) == before
    assert {it.name for it in await asyncio.to_thread(lambda: [*folder.iterdir()])} == {
        "sources.toml",
        "stations.csv",
    }
