"""The shortage of open files in this process, which is no fault of a source."""

import errno
from typing import Final

from mousetrap.sources.errors import NoFileError

LACKING: Final = frozenset({errno.EMFILE, errno.ENFILE})


def check(error: BaseException) -> None:
    """Raise NoFileError if this shortage has caused an error."""
    if _is_cause_of(error):
        raise NoFileError(
            "this worker may open no further file or connection: raise its limit of open files"
        ) from error


def _is_cause_of(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(map(_is_cause_of, error.exceptions))
    if isinstance(error, OSError) and error.errno in LACKING:
        return True
    return error is not None and _is_cause_of(error.__cause__ or error.__context__)
