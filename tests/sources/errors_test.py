import re

from mousetrap.sources import errors
from mousetrap.sources.errors import MAX_EXCERPT, MAX_MESSAGE, SourceError, UnknownSourceError


def test_every_error_has_a_code_of_its_own_and_a_meaning() -> None:
    kinds = SourceError.__subclasses__()

    assert len({kind.code for kind in kinds}) == len(kinds) > 10
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", kind.code) for kind in kinds)
    assert all(kind.__doc__ for kind in kinds)


def test_only_what_may_pass_by_itself_is_retryable() -> None:
    assert {kind.code for kind in SourceError.__subclasses__() if kind.retryable} == {
        errors.CircuitOpenError.code,
        errors.DeadlineError.code,
        errors.NoFileError.code,
        errors.NoSecretError.code,
        errors.ServerTroubleError.code,
        errors.TruncatedError.code,
        errors.UnreachableError.code,
        errors.UnreadableFileError.code,
    }


def test_a_message_is_short_and_printable_whatever_a_source_sent() -> None:
    message = str(UnknownSourceError("a\x00b\r\n" + "x" * 10_000))

    assert message.isprintable()
    assert MAX_MESSAGE - 2 <= len(message) <= MAX_MESSAGE


def test_an_excerpt_is_short_and_printable_and_no_part_of_the_message() -> None:
    error = UnknownSourceError("gone", excerpt="\x1b[31m" + "x" * 10_000)

    assert str(error) == "gone"
    assert error.excerpt.isprintable()
    assert len(error.excerpt) <= MAX_EXCERPT
