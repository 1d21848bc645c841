"""What can go wrong between a sender, the queue and a worker."""


class QueueError(Exception):
    """Base of everything that this room raises."""


class QueueUnavailableError(QueueError):
    """Redis or Valkey cannot be used now; the same call may succeed later."""


class MessageTooLargeError(QueueError):
    """The message is larger than a message may be, so sending it again cannot help."""


class RejectedMessageError(QueueError):
    """The handler says of its message that delivering it again cannot help."""


class UnreadableMessageError(QueueError):
    """What came off a stream is not a message that this process understands."""


class CommandLineError(QueueError):
    """A worker was started in a way that cannot keep the queue's promises."""
