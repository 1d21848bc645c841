"""Errors about a message from a stream."""


class MessageError(Exception):
    """The message cannot be read; keep its bytes and look at the process that sent it."""


class MalformedMessageError(MessageError):
    """The message does not match its schema."""


class UnsupportedVersionError(MessageError):
    """The message has a version that this process does not read; update the process."""
