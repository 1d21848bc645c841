"""The errors of a command, and their exit codes."""

from enum import IntEnum
from typing import ClassVar, Self


class ExitCode(IntEnum):
    """The exit codes and their meanings."""

    OK = 0, "done"
    FAILED = 1, "the job has failed, or the check has found an error"
    USAGE = 2, "the command line is invalid"
    UNREACHABLE = 3, "the URL is unreachable or does not answer as Mousetrap does"
    REFUSED = 4, "the API refuses the request and gives the reason"
    UNFINISHED = 5, "the job has not ended in time and continues"
    MISSING = 6, "there is no such summary, or none yet"
    INTERRUPTED = 130, "Ctrl-C"
    UNREAD = 141, "the reader of the output has closed it"

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        """Create a member with its meaning."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class CommandError(Exception):
    """Base of all errors that end a command; the message tells people what to do."""

    exit_code: ClassVar[ExitCode]


def reason(error: Exception) -> str:
    """Return why a file cannot be used, without its path, which the message has already."""
    return str((isinstance(error, OSError) and error.strerror) or error)


class JobFailedError(CommandError):
    """The job has failed; the message gives the reason."""

    exit_code = ExitCode.FAILED


class CheckFailedError(CommandError):
    """The sources file is invalid, or a source failed."""

    exit_code = ExitCode.FAILED


class UnreachableError(CommandError):
    """The server at the URL cannot be reached, or does not answer as the API does."""

    exit_code = ExitCode.UNREACHABLE


class BrokenOffError(UnreachableError):
    """The connection was lost; the request may or may not have had an effect."""


class RefusedError(CommandError):
    """The API answered with a problem (RFC 9457).

    `retry_after` is the delay before a retry in seconds, or None when a retry would not help.
    """

    exit_code = ExitCode.REFUSED

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnknownSourceError(RefusedError):
    """The API has no source of this name."""


class MissingSummaryError(CommandError):
    """There is no such summary, or none yet."""

    exit_code = ExitCode.MISSING


class TokenError(CommandError):
    """There is no usable token where one should be."""

    exit_code = ExitCode.USAGE


class UnfinishedError(CommandError):
    """The job has not ended within `--timeout`."""

    exit_code = ExitCode.UNFINISHED


class UnreadError(CommandError):
    """The reader has closed the output, as `| head` does; the command ends silently."""

    exit_code = ExitCode.UNREAD
