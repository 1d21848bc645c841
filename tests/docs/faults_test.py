"""The messages that the page about faults quotes are those of the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from mousetrap.cli import lists
from mousetrap.cli.schema import Queue
from mousetrap.settings import sources
from mousetrap.settings.errors import SettingsError

PAGE: Final = Path("docs/how-to/find-a-fault.md")
SOURCE: Final = Path("src/mousetrap")
PROGRAM: Final = re.compile(r"^(up|mousetrap): ")
SPAN: Final = re.compile(r"^\| (`+)((?:(?!\1).)+)\1 (?:\([^|]*\) )?\|", re.MULTILINE)
FIXED: Final = 0.2
"""The least share of a message that stands in the source, beside its variables."""


def quoted() -> list[str]:
    """Return the messages of the page."""
    tables = PAGE.read_text("utf-8").split("\n| message |")[1:]
    return [span[2] for table in tables for span in SPAN.finditer(table.partition("\n\n")[0])]


class Text:
    """A text of the source, in parts between its variables."""

    def __init__(self, *parts: str) -> None:
        self._pattern = re.compile(".*".join(map(re.escape, parts)))
        self._fixed = sum(map(len, parts))

    def is_in(self, message: str) -> bool:
        """Tell whether the message is this text, with anything in place of its variables."""
        return self._fixed >= FIXED * len(message) and bool(self._pattern.fullmatch(message))


def texts() -> Iterator[Text]:
    """Yield the texts of the source."""
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if parts := list(_parts(node)):
                yield Text(*parts)
    for file in sorted((SOURCE / "api/assets/dashboard").glob("*.js")):
        for text in re.findall(r'"([^"\n]*)"', file.read_text("utf-8")):
            yield Text(text)


def _parts(node: ast.AST) -> Iterator[str]:
    """Yield the first line of a text, in parts between its variables."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from node.value.split("\n")[0].split("%s")
    elif isinstance(node, ast.JoinedStr):
        text = "".join(
            str(value.value) if isinstance(value, ast.Constant) else "\0" for value in node.values
        )
        yield from text.split("\n")[0].split("\0")


@pytest.fixture(scope="module")
def known() -> list[Text]:
    return list(texts())


@pytest.mark.parametrize("message", quoted())
def test_message_is_one_of_the_source(message: str, known: list[Text]) -> None:
    said = PROGRAM.sub("", message)

    assert any(text.is_in(said) for text in known), f"correct {PAGE}: nothing says {said!r}"


def test_sources_file_that_is_missing_is_told_with_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages = quoted()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(SettingsError) as caught:
        sources.load("sources.toml")

    assert f"up: {caught.value}".replace(str(tmp_path), "/home/you") in messages


def test_queue_without_workers_looks_as_the_page_says() -> None:
    [row] = lists.queues([Queue("fetch", 1, 9.0, 0)]).rows

    assert f"| `WORKERS` of `mousetrap status` is `{row[-1]}` |" in PAGE.read_text("utf-8")


def test_page_quotes_messages() -> None:
    assert len(quoted()) > 20
    assert "up: port 8000 is taken: choose another one with --port" in quoted()


def test_message_that_was_changed_is_noticed(known: list[Text]) -> None:
    said = "port 8000 is taken: choose another with --port"

    assert not any(text.is_in(said) for text in known)
