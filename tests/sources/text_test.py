import pytest

from mousetrap.sources.text import tidy


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("Reykjavík", "Reykjavík"),
        ("東京", "東京"),
        ("a\x00b\nc", "a b c"),
        ("half a pair \ud800", "half a pair"),
        ("no\u00a0break", "no break"),
        (" \t ", ""),
        ("abcdefghijklmnop", "abcdefghijkl"),
    ],
)
def test_text_is_cut_and_what_does_not_print_becomes_a_space(text: str, tidied: str) -> None:
    assert tidy(text, 12) == tidied
