"""Why a command did not do what was asked, and the exit code that says so."""

from enum import IntEnum
from typing import ClassVar, Self


class ExitCode(IntEnum):
    """What the exit code of a command means."""

    OK = 0, "done"
    FAILED = 1, "the job has failed, or the check has found something wrong"
    USAGE = 2, "the command line is not one that can be understood"
    UNREACHABLE = 3, "nothing that answers like Mousetrap can be reached at the URL"
    REFUSED = 4, "the API refuses what was asked, and says why"
    UNFINISHED = 5, "the job has not ended in time and goes on"
    INTERRUPTED = 130, "Ctrl-C"
    UNREAD = 141, "nobody reads the output any more"

    meaning: str

    def __new__(cls, value: int, meaning: str) -> Self:
        """Make one that knows its meaning."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class CommandError(Exception):
    """Base of everything that ends a command; the message is one line for a person."""

    exit_code: ClassVar[ExitCode]


class JobFailedError(CommandError):
    """The job has failed, for the reason that the message gives."""

    exit_code = ExitCode.FAILED


class CheckFailedError(CommandError):
    """The sources file, or a source, is not what it should be."""

    exit_code = ExitCode.FAILED


class UnreachableError(CommandError):
    """What is at the URL cannot be reached, or does not answer as the API does."""

    exit_code = ExitCode.UNREACHABLE


class BrokenOffError(UnreachableError):
    """The connection was lost; whether the request had any effect is not known."""


class RefusedError(CommandError):
    """The API answered with a problem (RFC 9457).

    `retry_after` are the seconds after which to ask again, or None when that would not help.
    """

    exit_code = ExitCode.REFUSED

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnfinishedError(CommandError):
    """The job has not ended within the time that the command was given."""

    exit_code = ExitCode.UNFINISHED


class UnreadError(CommandError):
    """Nobody reads the output any more, as after `| head`; nothing is said about it."""

    exit_code = ExitCode.UNREAD
