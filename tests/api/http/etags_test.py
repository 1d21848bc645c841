import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.api.http import etags

OPAQUE = st.text(
    st.characters(codec="latin-1", exclude_characters='"', exclude_categories=["C", "Z"])
)


@pytest.mark.parametrize(
    "sent",
    ['"a,b"', 'W/"a,b"', '"x", "a,b"', 'W/"x",W/"a,b"', '"x" ,\t"a,b" ', "*", " * ", ',, "a,b"'],
)
def test_what_the_caller_has_matches(sent: str) -> None:
    assert etags.matches(sent, '"a,b"')
    assert etags.matches(sent, 'W/"a,b"')


@pytest.mark.parametrize(
    "sent", [None, "", "a,b", '"a"', '"b"', '"a, b"', '"*"', 'w/"a', '"A,B"', '"a","b"', "**"]
)
def test_what_it_does_not_have_does_not(sent: str | None) -> None:
    assert not etags.matches(sent, '"a,b"')


@pytest.mark.parametrize(
    "sent", ['"a,b-gzip"', '"a,b;gzip"', 'W/"a,b-br"', '"x-gzip", "a,b-deflate"', '"a,b-zstd"']
)
def test_a_tag_to_which_a_proxy_added_the_coding_matches(sent: str) -> None:
    assert etags.matches(sent, 'W/"a,b"')


@pytest.mark.parametrize("sent", ['"a,bgzip"', '"a,b-gzip-x"', '"a,b-tar"', '"x-gzip"', '"-gzip"'])
def test_no_other_ending_is_taken_for_a_coding(sent: str) -> None:
    assert not etags.matches(sent, 'W/"a,b"')


@given(st.lists(OPAQUE, max_size=4), OPAQUE)
def test_a_list_matches_its_members_and_no_others(members: list[str], other: str) -> None:
    sent = ", ".join(f'W/"{member}"' for member in members)

    codings = [f"{other}{sign}{coding}" for sign in "-;" for coding in etags.CODINGS]
    assert etags.matches(sent, f'"{other}"') is any(it in members for it in (other, *codings))
    assert all(etags.matches(sent, f'"{member}"') for member in members)


def test_a_tag_goes_by_the_content() -> None:
    assert etags.tag(b"a") == etags.tag(b"a")
    assert etags.tag(b"a") != etags.tag(b"b")
    assert etags.matches(etags.tag(b"a"), etags.tag(b"a"))
