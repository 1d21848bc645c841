"""Messages as taskiq has them, in bytes.

taskiq's own formatter walks the whole payload with pydantic first, which blocks the event loop
for longer than the encoding itself.
"""

import msgspec
from taskiq.abc.formatter import TaskiqFormatter
from taskiq.message import BrokerMessage, TaskiqMessage

from mousetrap.queue.envelope import UNREADABLE, opened, pack
from mousetrap.queue.errors import UnreadableMessageError


class StreamFormatter(TaskiqFormatter):
    """Writes and reads envelopes with exactly one argument: the payload.

    Labels are not read: taskiq would let those of a message decide when it is acknowledged and
    how long its task may run, which is not for the sender to say.
    """

    def dumps(self, message: TaskiqMessage) -> BrokerMessage:
        """Return the message as bytes; raises MessageTooLargeError."""
        body = pack(
            message.task_id,
            message.task_name,
            message.args,
            labels=message.labels,
            kwargs=message.kwargs,
        )
        return BrokerMessage(
            task_id=message.task_id, task_name=message.task_name, message=body, labels={}
        )

    def loads(self, message: bytes) -> TaskiqMessage:
        """Return the message that was sent; raises UnreadableMessageError."""
        envelope = opened(message)
        try:
            args = [msgspec.json.decode(payload) for payload in envelope.args]
        except UNREADABLE as error:
            raise UnreadableMessageError(f"not a payload in JSON: {error}") from error
        return TaskiqMessage(
            task_id=envelope.task_id,
            task_name=envelope.task_name,
            labels={},
            args=args,
            kwargs=envelope.kwargs,
        )
