import sys

import pytest

from mousetrap.messages.text import harmless
from mousetrap.sources.text import tidy
from mousetrap.store.text import storable


@pytest.mark.parametrize(
    ("text", "tidied"),
    [
        ("a\x00b\nc", "ab c"),
        ("a\r\n\tb\x85c", "a b c"),
        ("a\x1b[31mb\x9bc", "a[31mbc"),
        ("a\u202eb\u2066c\u2069", "abc"),
        ("half a pair \ud800", "half a pair"),
        (" \t ", ""),
        ("abcdefghijklmnop", "abcdefghijkl"),
    ],
)
def test_text_is_cut_and_rid_of_what_could_do_harm(text: str, tidied: str) -> None:
    assert tidy(text, 12) == tidied


NAMES = {
    "Latin": "Reykjavík",
    "Japanese": "東京",
    "Japanese with an ideographic space": "\u6771\u4eac\u3000\u99c5",
    "Persian with a non-joiner": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "Sinhala with a joiner": "\u0dc1\u0dca\u200d\u0dbb\u0dd3",
    "French with a no-break space": "caf\u00e9\u00a0!",
    "Hebrew with a mark": "\u05d0\u200fb",
    "a family": "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "an emoji of Unicode 17": "\U0001fac8",
    "a private one": "\ue000",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_of_all_scripts_stay_as_they_are_on_their_whole_way(name: str) -> None:
    assert storable(harmless(tidy(name, 200))) == name


def test_tidy_text_is_harmless_and_storable_whatever_is_in_it() -> None:
    for code in range(sys.maxunicode + 1):
        text = tidy(f"a{chr(code)}b", 10)

        assert storable(harmless(text)) == text
