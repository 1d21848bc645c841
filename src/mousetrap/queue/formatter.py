"""The bytes of taskiq's messages.

taskiq's own formatter walks the whole payload with pydantic first, which blocks the event loop
for longer than the encoding itself.
"""

import reprlib
from typing import Any

from taskiq.abc.formatter import TaskiqFormatter
from taskiq.message import BrokerMessage, TaskiqMessage

from mousetrap.messages.errors import MessageError
from mousetrap.queue.envelope import UNREADABLE, opened, pack
from mousetrap.queue.errors import UnreadableMessageError
from mousetrap.queue.stages import Stage


class StreamFormatter(TaskiqFormatter):
    """Encodes and decodes the messages of one stream: a task with one argument, the payload.

    The labels that a sender wrote are not read: taskiq would let them decide when a message is
    acknowledged and how long its task may run.
    """

    def __init__(self, stream: Stage[Any]) -> None:
        self._stream = stream

    def dumps(self, message: TaskiqMessage) -> BrokerMessage:
        """Return the message as bytes; raises MessageTooLargeError."""
        if len(message.args) != 1 or message.kwargs:
            raise ValueError(f"{message.task_name} has one argument, which is given by position")
        [payload] = message.args
        body = pack(message.task_id, message.task_name, payload, labels=message.labels)
        return BrokerMessage(
            task_id=message.task_id, task_name=message.task_name, message=body, labels={}
        )

    def loads(self, message: bytes | TaskiqMessage) -> TaskiqMessage:
        """Return the message that was sent, or the one that has been read; see StreamReceiver.

        Raises UnreadableMessageError.
        """
        if not isinstance(message, bytes):
            return message
        envelope = opened(message)
        if envelope.task_name != self._stream.task:
            raise UnreadableMessageError(
                f"this worker has no task {reprlib.repr(envelope.task_name)}:"
                " is it older than the sender?"
            )
        try:
            payload = self._stream.read(envelope.args[0])
        except (MessageError, *UNREADABLE) as error:
            raise UnreadableMessageError(str(error)) from error
        return made(envelope.task_id, envelope.task_name, payload)


def made(task_id: str, task_name: str, payload: object) -> TaskiqMessage:
    """Return a message that was read."""
    return TaskiqMessage(task_id=task_id, task_name=task_name, labels={}, args=[payload], kwargs={})
