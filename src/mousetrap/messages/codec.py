"""Decodes messages, and names the fault of invalid ones."""

import reprlib
from typing import Any, Final

import msgspec

from mousetrap.geo.batch import Batch
from mousetrap.messages import columns
from mousetrap.messages.errors import (
    MalformedMessageError,
    MessageError,
    UnsupportedVersionError,
)
from mousetrap.messages.schema import (
    BATCH_VERSION,
    LARGE_VERSION,
    MAX_WHOLE,
    VERSION,
    BatchFetched,
    FetchFailed,
    FetchOutcome,
    FetchRequested,
    LargeBatchFetched,
    PointsFetched,
    SummaryStored,
)
from mousetrap.messages.text import harmless

_NO_JSON: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
_MAX_REASON: Final = 500
_ABSENT: Final = msgspec.Raw()

# Preparing a decoder of a union takes longer than decoding a message.
_MESSAGES: Final[
    msgspec.json.Decoder[FetchRequested | BatchFetched | FetchFailed | SummaryStored]
] = msgspec.json.Decoder(FetchRequested | BatchFetched | FetchFailed | SummaryStored)
_OUTCOMES: Final[msgspec.json.Decoder[columns.BatchFetched | FetchFailed]] = msgspec.json.Decoder(
    columns.BatchFetched | FetchFailed
)
_REQUEST: Final[msgspec.json.Decoder[FetchRequested]] = msgspec.json.Decoder(FetchRequested)
_SUMMARY: Final[msgspec.json.Decoder[SummaryStored]] = msgspec.json.Decoder(SummaryStored)
_LARGE: Final[msgspec.json.Decoder[LargeBatchFetched]] = msgspec.json.Decoder(LargeBatchFetched)
_POINTS: Final[msgspec.json.Decoder[PointsFetched]] = msgspec.json.Decoder(PointsFetched)

_BATCH_TYPE: Final = f'"{BatchFetched.__struct_config__.tag}"'.encode()


class _Head(msgspec.Struct):
    """The fields that tell how to read a message. No others are decoded: it may be hostile."""

    type: msgspec.Raw = _ABSENT
    version: msgspec.Raw = msgspec.Raw(b"1")


_HEAD: Final[msgspec.json.Decoder[_Head]] = msgspec.json.Decoder(_Head)


def decode_request(payload: bytes | msgspec.Raw) -> FetchRequested:
    """Read a message of the fetch queue.

    Raises UnsupportedVersionError or MalformedMessageError, saying which field is wrong.
    """
    try:
        message = _MESSAGES.decode(payload)  # where there is a choice, `type` is asked for
    except _NO_JSON:
        message = None
    if isinstance(message, FetchRequested):
        return message
    raise _fault(payload, _REQUEST)


def decode_outcome(payload: bytes | msgspec.Raw) -> FetchOutcome:
    """Read a message of the process queue, batches of the versions before as well.

    Raises UnsupportedVersionError or MalformedMessageError, saying which field is wrong.
    """
    try:
        outcome = _OUTCOMES.decode(payload)
    except _NO_JSON:
        return _other_batch(payload)
    if isinstance(outcome, FetchFailed):
        return outcome
    try:
        return outcome.read()
    except (*_NO_JSON, ValueError) as error:
        raise _malformed(error) from error


def read_piece(piece: bytes, points: int) -> Batch:
    """Read a piece of a large batch that has so many points; raises MalformedMessageError."""
    try:
        return columns.read_piece(piece, points)
    except (*_NO_JSON, ValueError) as error:
        raise _malformed(error) from error


def _other_batch(payload: bytes | msgspec.Raw) -> BatchFetched | LargeBatchFetched:
    """Read a large batch, or one of the versions before; raises what `decode_outcome` does."""
    head = _head(payload)
    if bytes(head.type) != _BATCH_TYPE:
        raise _fault(payload, _OUTCOMES)
    if bytes(head.version) == b"%d" % LARGE_VERSION:
        return _large_batch(payload)
    if bytes(head.version) == b"%d" % BATCH_VERSION:
        raise _fault(payload, _OUTCOMES, BATCH_VERSION)
    if bytes(head.version) != b"%d" % VERSION:
        raise _fault(payload, _LARGE, LARGE_VERSION)
    if bytes(payload).count(b"{") > MAX_WHOLE + 1:
        raise _malformed(ValueError(f"more than {MAX_WHOLE} points"))
    try:
        return _POINTS.decode(payload).today()
    except (*_NO_JSON, ValueError) as error:
        raise _malformed(error) from error


def _large_batch(payload: bytes | msgspec.Raw) -> LargeBatchFetched:
    try:
        return _LARGE.decode(payload)
    except (*_NO_JSON, ValueError) as error:
        raise _malformed(error) from error


def decode_summary(payload: bytes | msgspec.Raw) -> SummaryStored:
    """Read a message of a stage that follows summaries.

    Raises UnsupportedVersionError or MalformedMessageError, saying which field is wrong.
    """
    try:
        message = _MESSAGES.decode(payload)
    except _NO_JSON:
        message = None
    if isinstance(message, SummaryStored):
        return message
    raise _fault(payload, _SUMMARY)


def _fault(
    payload: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[Any], version: int = VERSION
) -> MessageError:
    """Return why a message is not one of the `decoder`, which has the best error message."""
    head = _head(payload)
    if not bytes(head.type):  # msgspec asks for it only where there is a choice
        return MalformedMessageError("not a message of this queue: it has no field `type`")
    if bytes(head.version) != b"%d" % version:
        found = reprlib.repr(bytes(head.version).decode(errors="replace"))
        return UnsupportedVersionError(
            f"this process reads version {version} of messages, not {found}: update it"
        )
    try:
        decoder.decode(payload)
    except _NO_JSON as error:
        return _malformed(error)
    raise AssertionError  # it would have been read


def _head(payload: bytes | msgspec.Raw) -> _Head:
    try:
        return _HEAD.decode(payload)
    except msgspec.ValidationError as error:
        raise _malformed(error) from error
    except _NO_JSON as error:
        raise MalformedMessageError(f"not JSON: {_short(error)}") from error


def _malformed(error: Exception) -> MalformedMessageError:
    return MalformedMessageError(f"not a message of this queue: {_short(error)}")


def _short(error: Exception) -> str:
    reason = harmless(str(error))
    if len(reason) <= _MAX_REASON:
        return reason
    half = _MAX_REASON // 2  # the end names the faulty field
    return f"{reason[:half]} … {reason[-half:]}"
