"""Messages as bytes: taskiq's JSON envelope, written and read by msgspec.

taskiq's own formatter walks the whole payload with pydantic first, which blocks the event loop
for longer than the encoding itself. `XRANGE` shows people what is in a stream.
"""

from typing import Any, Final
from uuid import UUID

import msgspec
from taskiq.abc.formatter import TaskiqFormatter
from taskiq.message import BrokerMessage, TaskiqMessage

from mousetrap.messages import codec
from mousetrap.queue.errors import MessageTooLargeError, UnreadableMessageError

MAX_BYTES: Final = 64 * 1024 * 1024

# msgspec reports text that is not UTF-8 and nesting without end in Python's own words.
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Envelope(msgspec.Struct):
    """What is around a payload, which is still JSON."""

    task_id: str
    task_name: str
    args: tuple[msgspec.Raw]
    kwargs: dict[str, Any] = {}


class _Payload(msgspec.Struct):
    job_id: Any = None


class _Header(msgspec.Struct):
    args: tuple[_Payload]


class StreamFormatter(TaskiqFormatter):
    """Writes and reads envelopes with exactly one argument: the payload.

    Labels are not read: taskiq would let those of a message decide when it is acknowledged and
    how long its task may run, which is not for the sender to say.
    """

    def dumps(self, message: TaskiqMessage) -> BrokerMessage:
        """Return the message as bytes; raises MessageTooLargeError."""
        body = msgspec.json.encode(
            {
                "task_id": message.task_id,
                "task_name": message.task_name,
                "labels": message.labels,
                "args": message.args,
                "kwargs": message.kwargs,
            }
        )
        if len(body) > MAX_BYTES:
            raise MessageTooLargeError(
                f"message {message.task_id} has {len(body)} bytes, {MAX_BYTES} are allowed:"
                " let the source give fewer points"
            )
        return BrokerMessage(
            task_id=message.task_id, task_name=message.task_name, message=body, labels={}
        )

    def loads(self, message: bytes) -> TaskiqMessage:
        """Return the message that was sent; raises UnreadableMessageError."""
        envelope = opened(message)
        try:
            args = [msgspec.json.decode(payload) for payload in envelope.args]
        except _UNREADABLE as error:
            raise UnreadableMessageError(f"not a payload in JSON: {error}") from error
        return TaskiqMessage(
            task_id=envelope.task_id,
            task_name=envelope.task_name,
            labels={},
            args=args,
            kwargs=envelope.kwargs,
        )


def opened(message: bytes) -> Envelope:
    """Return the envelope of a message; raises UnreadableMessageError."""
    if len(message) > MAX_BYTES:
        raise UnreadableMessageError(f"{len(message)} bytes, {MAX_BYTES} are allowed")
    try:
        return msgspec.json.decode(message, type=Envelope)
    except _UNREADABLE as error:
        raise UnreadableMessageError(f"not an envelope of taskiq: {error}") from error


def job_in(body: bytes) -> UUID | None:
    """Return the job that a message is about, reading nothing else of it."""
    if len(body) > MAX_BYTES:
        return None
    try:
        [payload] = msgspec.json.decode(body, type=_Header).args
    except _UNREADABLE:
        return None
    return codec.job_of({"job_id": payload.job_id})
