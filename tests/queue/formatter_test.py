"""Reading any bytes of a stream gives a message or says why not."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from taskiq.formatters.json_formatter import JSONFormatter
from taskiq.message import TaskiqMessage

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import Point
from mousetrap.messages.schema import BatchFetched, FetchFailed, FetchRequested, Message
from mousetrap.queue import envelope
from mousetrap.queue.envelope import attempt_in, job_in
from mousetrap.queue.errors import UnreadableMessageError
from mousetrap.queue.formatter import StreamFormatter
from mousetrap.queue.stages import Stage

JOB = UUID("a6269924-839c-4556-a398-d6e417f46a14")
AT = datetime(2026, 11, 28, tzinfo=UTC)
ENVELOPE: dict[str, Any] = {
    "task_id": "1",
    "task_name": "mousetrap.fetch",
    "labels": {"timeout": "1"},
    "args": [{"job_id": str(JOB), "points": [1, 2]}],
    "kwargs": {},
}


def anything(payload: msgspec.Raw) -> object:
    return msgspec.json.decode(payload)


FORMATTER = StreamFormatter(Stage("fetch", anything))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def message(**changes: Any) -> bytes:
    return msgspec.json.encode({**ENVELOPE, **changes})


def test_what_taskiq_writes_is_read() -> None:
    sent = TaskiqMessage(**ENVELOPE)
    assert FORMATTER.loads(JSONFormatter().dumps(sent).message) == TaskiqMessage(
        **{**ENVELOPE, "labels": {}}
    )


@pytest.mark.parametrize("wrong", [{"args": []}, {"args": [1, 2]}, {"kwargs": {"key": 1}}])
def test_a_task_with_other_arguments_is_not_sent(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="has one argument"):
        FORMATTER.dumps(TaskiqMessage(**{**ENVELOPE, **wrong}))


def test_taskiq_reads_what_is_written() -> None:
    sent = TaskiqMessage(**ENVELOPE)
    assert JSONFormatter().loads(FORMATTER.dumps(sent).message) == sent


@given(st.binary() | JSON.map(msgspec.json.encode))
def test_anything_else_is_refused_in_one_way(body: bytes) -> None:
    with pytest.raises(UnreadableMessageError):
        FORMATTER.loads(body)
    assert job_in(body) is None


@given(st.lists(JSON, min_size=1, max_size=1), st.dictionaries(st.text(), JSON))
def test_any_payload_in_an_envelope_is_read(args: list[Any], kwargs: dict[str, Any]) -> None:
    body = message(args=args, kwargs=kwargs)
    assert FORMATTER.loads(body).args == msgspec.json.decode(body)["args"]
    assert job_in(body) is None


@pytest.mark.parametrize("args", [[], [1, 2], {}, None])
def test_an_envelope_holds_exactly_one_payload(args: object) -> None:
    with pytest.raises(UnreadableMessageError):
        FORMATTER.loads(message(args=args))


@pytest.mark.parametrize(
    "payload",
    [{}, {"version": 99, "type": "from-the-future"}, {"type": "batch-fetched", "points": "none"}],
)
def test_a_job_is_found_in_what_is_otherwise_unreadable(payload: dict[str, Any]) -> None:
    assert job_in(msgspec.json.encode({"args": [{**payload, "job_id": JOB}]})) == JOB


@pytest.mark.parametrize(
    "sent",
    [
        FetchRequested(JOB, "demo"),
        BatchFetched(JOB, AT, Batch.of([Point(1.0, 2.0)])),
        FetchFailed(JOB, AT, "gone", "ask again", retryable=True),
    ],
)
def test_the_job_of_a_message_is_known_without_reading_the_rest(sent: Message) -> None:
    assert job_in(envelope.pack("1", "mousetrap.fetch", sent)) == JOB


@pytest.mark.parametrize(
    "sent",
    [
        FetchRequested(JOB, "demo", attempt=3),
        BatchFetched(JOB, AT, Batch.of([Point(1.0, 2.0)]), attempt=3),
        FetchFailed(JOB, AT, "gone", "ask again", retryable=True, attempt=3),
    ],
)
def test_the_attempt_of_a_message_is_known_without_reading_the_rest(sent: Message) -> None:
    assert attempt_in(envelope.pack("1", "mousetrap.fetch", sent)) == 3


@pytest.mark.parametrize("attempt", [None, 0, -1, 2**31, 1.5, True, "3", [3]])
def test_a_message_whose_attempt_cannot_be_told_is_of_the_first(attempt: object) -> None:
    found = message(args=[{"job_id": str(JOB), "attempt": attempt}])

    assert attempt_in(found) == 1
    assert job_in(found) == JOB


@given(JSON)
def test_the_job_of_whatever_arrives_can_be_asked_for(value: object) -> None:
    assert job_in(message(args=[{"job_id": value}])) is None


@pytest.mark.parametrize("payload", [None, [], str(JOB), 7, {}])
def test_what_is_no_message_has_no_job(payload: object) -> None:
    assert job_in(message(args=[payload])) is None


@pytest.mark.parametrize("job_id", ["null", "7", '"x"', f'["{JOB}"]', '"\\ud800"'])
def test_a_message_without_a_job_has_none(job_id: str) -> None:
    assert job_in(b'{"args": [{"job_id": %s}]}' % job_id.encode()) is None


def test_too_much_is_not_even_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "MAX_BYTES", 20)
    with pytest.raises(UnreadableMessageError, match="20 are allowed"):
        FORMATTER.loads(message())
    assert job_in(message()) is None
