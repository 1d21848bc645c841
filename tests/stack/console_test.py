import io
import os

from mousetrap.stack.console import LONGEST_LINE, Console


def written(*chunks: bytes) -> list[str]:
    stream = io.StringIO()
    console = Console(stream, colour=False)
    descriptor = console.open("api")
    for chunk in chunks:
        os.write(descriptor, chunk)
    os.close(descriptor)
    console.close()
    return stream.getvalue().splitlines()


def test_every_line_follows_the_name_of_its_process() -> None:
    assert written(b"one\ntw", b"o\r\n") == ["api            | one", "api            | two"]


def test_a_last_line_without_end_is_not_lost() -> None:
    assert written(b"one\ntwo") == ["api            | one", "api            | two"]


def test_what_is_no_text_is_replaced() -> None:
    assert written(b"\xff!\n") == ["api            | \N{REPLACEMENT CHARACTER}!"]


def test_a_line_without_end_does_not_grow_for_ever() -> None:
    half = b"x" * (LONGEST_LINE // 2)
    assert [len(line) for line in written(half, half, b"y\n")] == [17 + LONGEST_LINE, 17 + 1]


def test_colours_tell_processes_apart() -> None:
    stream = io.StringIO()
    console = Console(stream, colour=True)
    for name in ("api", "fetch", "api"):
        console.say(name, "text")
    api, fetch, again = stream.getvalue().splitlines()
    assert api == again == "\x1b[36mapi            |\x1b[0m text"
    assert fetch.startswith("\x1b[")
    assert not fetch.startswith("\x1b[36m")
