"""Decodes messages, and names the fault of invalid ones."""

import reprlib
from typing import Any, Final

import msgspec

from mousetrap.messages.errors import MalformedMessageError, UnsupportedVersionError
from mousetrap.messages.schema import VERSION, FetchOutcome, FetchRequested, Message, SummaryStored

# What msgspec raises for a value that does not fit; the second for text with half a surrogate
# pair, which JSON can carry and UTF-8 cannot.
_UNREADABLE: Final = (msgspec.ValidationError, UnicodeEncodeError)
_NO_JSON: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
_MAX_REASON: Final = 500

# Preparing a decoder of a union takes longer than decoding a message.
_MESSAGES: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Message)
_OUTCOMES: Final[msgspec.json.Decoder[FetchOutcome]] = msgspec.json.Decoder(FetchOutcome)


def read_request(raw: object) -> FetchRequested:
    """Read a message of the fetch queue.

    Raises UnsupportedVersionError or MalformedMessageError, saying which field is wrong.
    """
    request: FetchRequested = _convert(raw, FetchRequested)
    return request


def read_outcome(raw: object) -> FetchOutcome:
    """Read a message of the process queue.

    Raises UnsupportedVersionError or MalformedMessageError, saying which field is wrong.
    """
    outcome: FetchOutcome = _convert(raw, FetchOutcome)
    return outcome


def decode_request(payload: bytes | msgspec.Raw) -> FetchRequested:
    """Read a message of the fetch queue in JSON; raises what `read_request` does."""
    try:
        message = _MESSAGES.decode(payload)  # where there is a choice, `type` is asked for
    except _NO_JSON:
        message = None
    if isinstance(message, FetchRequested):
        return message
    return read_request(_decoded(payload))  # it has the best error message


def decode_outcome(payload: bytes | msgspec.Raw) -> FetchOutcome:
    """Read a message of the process queue in JSON; raises what `read_outcome` does."""
    try:
        return _OUTCOMES.decode(payload)
    except _NO_JSON:
        return read_outcome(_decoded(payload))


def decode_summary(payload: bytes | msgspec.Raw) -> SummaryStored:
    """Read a message of a stage that follows summaries, in JSON.

    Raises UnsupportedVersionError or MalformedMessageError, saying which field is wrong.
    """
    try:
        message = _MESSAGES.decode(payload)
    except _NO_JSON:
        message = None
    if isinstance(message, SummaryStored):
        return message
    summary: SummaryStored = _convert(_decoded(payload), SummaryStored)
    return summary


def _convert(raw: object, kind: Any) -> Any:
    if isinstance(raw, dict):
        if raw.get("version", VERSION) != VERSION:
            version = reprlib.repr(raw["version"])
            raise UnsupportedVersionError(
                f"this process reads version {VERSION} of messages, not {version}: update it"
            )
        if "type" not in raw:  # msgspec asks for it only where there is a choice
            raise MalformedMessageError("not a message of this queue: it has no field `type`")
    try:
        return msgspec.convert(raw, kind)
    except _UNREADABLE as error:
        raise MalformedMessageError(f"not a message of this queue: {_short(error)}") from error


def _decoded(payload: bytes | msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(payload)
    except _NO_JSON as error:
        raise MalformedMessageError(f"not JSON: {_short(error)}") from error


def _short(error: Exception) -> str:
    reason = str(error)
    if len(reason) <= _MAX_REASON:
        return reason
    half = _MAX_REASON // 2  # the end names the faulty field
    return f"{reason[:half]} … {reason[-half:]}"
