"""The errors of a source."""

from collections.abc import Collection
from typing import ClassVar, Final

from mousetrap.sources.redaction import redact
from mousetrap.sources.text import tidy

MAX_MESSAGE: Final = 1000
MAX_EXCERPT: Final = 200


class SourceError(Exception):
    """Base of all errors of this package.

    `code` is stable, for programs. `retryable` is true when a later attempt may succeed without
    intervention. The message is for people: without controls, at most MAX_MESSAGE characters, and
    without the path and query of a URL, which may contain a key. It is public, so nothing that a
    server sent stands in it, with three exceptions, harmless and short: the number that is wrong,
    the declared `crs` and the server's own error. `excerpt` has the rest, for the log of the
    operator, and may be empty.
    """

    code: ClassVar[str]
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, excerpt: object = "") -> None:
        super().__init__(tidy(message, MAX_MESSAGE))
        self.excerpt = tidy(str(excerpt), MAX_EXCERPT)

    def redact(self, secrets: Collection[str]) -> None:
        """Take the secrets of the source out of all texts, since its server may repeat them."""
        self.args = (redact(str(self), secrets)[:MAX_MESSAGE],)
        self.excerpt = redact(self.excerpt, secrets)[:MAX_EXCERPT]


class CircuitOpenError(SourceError):
    """The source has failed too often in a row to be asked now."""

    code = "circuit-open"
    retryable = True


class UnknownSourceError(SourceError):
    """No source has this name; add it to sources.toml."""

    code = "unknown-source"


class NoSecretError(SourceError):
    """A secret of the source is not there any more, or is not usable."""

    code = "no-secret"
    retryable = True


class BadUrlError(SourceError):
    """The URL, or the target of its redirect, is invalid or not allowed."""

    code = "bad-url"


class PrivateAddressError(SourceError):
    """The host is not at a public address, and its source does not allow another one."""

    code = "private-address"


class UnreachableError(SourceError):
    """The server refuses connections, or does not speak HTTP."""

    code = "unreachable"
    retryable = True


class NoFileError(SourceError):
    """The process, or its machine, may open no further file, which is no fault of the source."""

    code = "no-file"
    retryable = True


class UnreadableFileError(SourceError):
    """A file is not there, or cannot be read."""

    code = "unreadable-file"
    retryable = True


class DeadlineError(SourceError):
    """The batch did not arrive within the deadline of its source."""

    code = "timeout"
    retryable = True


class ServerTroubleError(SourceError):
    """The server reports a temporary error."""

    code = "server-trouble"
    retryable = True


class RefusedError(SourceError):
    """The server refuses the request."""

    code = "refused"


class TooManyRedirectsError(SourceError):
    """The server redirects more often than the source allows."""

    code = "too-many-redirects"


class WrongContentTypeError(SourceError):
    """The response is a web page or XML, and its source is not."""

    code = "wrong-content-type"


class WrongCharsetError(SourceError):
    """The response is not in UTF-8."""

    code = "wrong-charset"


class WrongEncodingError(SourceError):
    """The response has a content encoding that was not requested."""

    code = "wrong-encoding"


class TooLargeError(SourceError):
    """The response is larger than the source allows."""

    code = "too-large"


class TruncatedError(SourceError):
    """The response ends before it is complete."""

    code = "truncated"
    retryable = True


class IncompleteError(SourceError):
    """The answer is a part of the feed, and the rest of it cannot be had."""

    code = "incomplete"


class MalformedError(SourceError):
    """The response is not in the format of the source."""

    code = "malformed"


class WrongCrsError(SourceError):
    """The positions are not in WGS 84, in the order longitude, latitude."""

    code = "wrong-crs"


class NotPointsError(SourceError):
    """A feature is not a point."""

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
