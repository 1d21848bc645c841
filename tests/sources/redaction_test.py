import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.sources.redaction import MASK, PART, redact

VALUE = 'k3y/with "all" + 9f8e7d'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nothing of it", "nothing of it"),
        (f"the key {VALUE} is wrong", "the key *** is wrong"),
        (f"{VALUE}{VALUE}", "***"),
        (f"cut {VALUE[:PART]}", "cut ***"),
        (f"{VALUE[-PART:]} cut", "*** cut"),
        (f"/?key={quote(VALUE, safe='')}&b", "/?key=***&b"),
        (f"/?key={quote_plus(VALUE)}", "/?key=***"),
        (json.dumps({"key": VALUE}), '{"key": "***"}'),
        ("", ""),
    ],
)
def test_a_secret_is_taken_out_in_every_form(text: str, expected: str) -> None:
    assert redact(text, [VALUE, "another"]) == expected


def test_a_short_secret_is_recognised_as_a_whole() -> None:
    assert redact("pin 1234, 123 and 12345", ["1234"]) == "pin ***, 123 and ***5"


@given(st.text(), st.text(min_size=1), st.text())
def test_nothing_of_a_secret_is_left(before: str, secret: str, after: str) -> None:
    assert secret not in redact(before + secret + after, [secret]).replace(MASK, "")


@given(st.text())
def test_without_secrets_a_text_stays(text: str) -> None:
    assert redact(text, []) == text
