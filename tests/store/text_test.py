from hypothesis import given
from hypothesis import strategies as st

from mousetrap.store.text import is_storable, storable

any_text = st.text(st.characters(categories=None) | st.sampled_from("\0\ud800\udfff"))


@given(any_text)
def test_the_rest_stays_as_it_is(text: str) -> None:
    cleaned = storable(text)
    assert is_storable(cleaned)
    assert len(cleaned) == len(text)
    assert all(a in (b, "\ufffd") for a, b in zip(cleaned, text, strict=True))
    assert (cleaned == text) == is_storable(text)
    cleaned.encode()


def test_what_cannot_be_stored_is_marked() -> None:
    assert storable("a\0b\ud83d\udc2d") == "a\ufffdb\ufffd\ufffd"
