"""Why a source gave no batch."""

from typing import ClassVar, Final

from mousetrap.sources.text import tidy

MAX_MESSAGE: Final = 1000


class SourceError(Exception):
    """Base of everything that this library raises.

    `code` is stable and for programs; `retryable` says whether the same source may give a batch
    later without anyone's help. The message is for a person: printable, at most MAX_MESSAGE
    characters, and without the path and query of a URL, which may hold a key.
    """

    code: ClassVar[str]
    retryable: ClassVar[bool] = False

    def __init__(self, message: str) -> None:
        super().__init__(tidy(message, MAX_MESSAGE))


class UnknownSourceError(SourceError):
    """No source has this name; add it to sources.toml."""

    code = "unknown-source"


class BadUrlError(SourceError):
    """The URL, or the one that it redirects to, is not one that this library fetches."""

    code = "bad-url"


class UnreachableError(SourceError):
    """The server cannot be connected to, or does not answer in HTTP."""

    code = "unreachable"
    retryable = True


class DeadlineError(SourceError):
    """The batch was not there within the deadline of its source."""

    code = "timeout"
    retryable = True


class ServerTroubleError(SourceError):
    """The server says that it cannot answer at present."""

    code = "server-trouble"
    retryable = True


class RefusedError(SourceError):
    """The server does not give out what the URL names."""

    code = "refused"


class TooManyRedirectsError(SourceError):
    """The server redirects more often than the source allows."""

    code = "too-many-redirects"


class WrongContentTypeError(SourceError):
    """The answer is of a type that cannot be the format of the source."""

    code = "wrong-content-type"


class WrongCharsetError(SourceError):
    """The answer is not in UTF-8."""

    code = "wrong-charset"


class WrongEncodingError(SourceError):
    """The answer is compressed in a way that was not asked for."""

    code = "wrong-encoding"


class TooLargeError(SourceError):
    """The answer is larger than the source allows."""

    code = "too-large"


class TruncatedError(SourceError):
    """The answer ends before it is complete."""

    code = "truncated"
    retryable = True


class MalformedError(SourceError):
    """The answer is not in the format of the source."""

    code = "malformed"


class NotPointsError(SourceError):
    """A feature is something other than a point."""

    code = "not-points"


class BadCoordinatesError(SourceError):
    """A point is not on the Earth: its coordinates are missing, not numbers, or out of range."""

    code = "bad-coordinates"


class TooManyPointsError(SourceError):
    """The batch has more points than the source allows."""

    code = "too-many-points"


class NoPointsError(SourceError):
    """The batch has no points, and a summary needs one."""

    code = "empty-batch"
