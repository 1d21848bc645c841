"""taskiq's JSON envelope around a message, encoded by msgspec.

`XRANGE` shows people what is in a stream.
"""

from typing import Any, Final
from uuid import UUID

import msgspec

from mousetrap.messages.schema import MAX_ATTEMPT
from mousetrap.queue.errors import MessageTooLargeError, UnreadableMessageError

MAX_BYTES: Final = 12 * 1024 * 1024
"""A batch takes fewer bytes than the body that it was read from; see `max_bytes` of sources."""

# msgspec reports text that is not UTF-8 and nesting without end in Python's own words.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""The errors of msgspec for bytes that it cannot read."""


class Envelope(msgspec.Struct):
    """An envelope; its payload stays JSON."""

    task_id: str
    task_name: str
    args: tuple[msgspec.Raw]


class _Payload(msgspec.Struct):
    job_id: UUID | None = None
    job: UUID | None = None  # that of a batch
    for_job: UUID | None = None  # that of a large one
    attempt: Any = 1


class _Header(msgspec.Struct):
    args: tuple[_Payload]


def pack(
    task_id: str, task_name: str, payload: object, *, labels: dict[str, Any] | None = None
) -> bytes:
    """Return a message in its envelope; raises MessageTooLargeError."""
    body = msgspec.json.encode(
        {
            "task_id": task_id,
            "task_name": task_name,
            "labels": labels or {},
            "args": [payload],
            "kwargs": {},
        }
    )
    if len(body) > MAX_BYTES:
        raise MessageTooLargeError(
            f"message {task_id} has {len(body)} bytes, {MAX_BYTES} are allowed:"
            " let the source give fewer points"
        )
    return body


def opened(message: bytes) -> Envelope:
    """Return the envelope of a message; raises UnreadableMessageError."""
    if len(message) > MAX_BYTES:
        raise UnreadableMessageError(f"{len(message)} bytes, {MAX_BYTES} are allowed")
    try:
        return msgspec.json.decode(message, type=Envelope)
    except UNREADABLE as error:
        raise UnreadableMessageError(f"not an envelope of taskiq: {error}") from error


def job_in(body: bytes) -> UUID | None:
    """Return the job that a message is about, reading nothing else of it."""
    payload = _payload(body)
    return payload.job_id or payload.job or payload.for_job


def attempt_in(body: bytes) -> int:
    """Return the attempt that a message is of; the first if it does not say."""
    attempt = _payload(body).attempt
    return attempt if type(attempt) is int and 1 <= attempt <= MAX_ATTEMPT else 1


def _payload(body: bytes) -> _Payload:
    if len(body) > MAX_BYTES:
        return _Payload()
    try:
        return msgspec.json.decode(body, type=_Header).args[0]
    except UNREADABLE:
        return _Payload()
