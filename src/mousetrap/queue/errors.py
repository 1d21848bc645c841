"""Errors between a sender, the queue and a worker."""


class QueueError(Exception):
    """Base of the errors of this package."""


class QueueUnavailableError(QueueError):
    """Redis or Valkey cannot be used now; the same call may succeed later."""


class WrongServerError(QueueUnavailableError):
    """The server in the address runs, yet it cannot be the queue."""


class MessageTooLargeError(QueueError):
    """The message exceeds the limit, so sending it again cannot help."""


class RejectedMessageError(QueueError):
    """The handler rejects the message: another delivery cannot help."""


class UnreadableMessageError(QueueError):
    """The entry of a stream is not a message that this process understands."""


class CommandLineError(QueueError):
    """A worker was started in a way that cannot keep the queue's promises."""
