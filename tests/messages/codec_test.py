"""Between messages and the JSON that a queue carries."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mousetrap.geo.point import Point
from mousetrap.messages import codec
from mousetrap.messages.errors import (
    MalformedMessageError,
    MessageError,
    UnsupportedVersionError,
)
from mousetrap.messages.schema import (
    MAX_DETAIL,
    BatchFetched,
    FetchFailed,
    FetchOutcome,
    FetchRequested,
)

ID = UUID("9f3c1d52-5b1e-4c86-9d2a-0c8f5a1b7e44")
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
REQUEST = FetchRequested(job_id=ID, source="demo")
BATCH = BatchFetched(job_id=ID, fetched_at=AT, points=(Point(1.0, 2.0, "a"), Point(3.0, 4.0)))
FAILURE = FetchFailed(job_id=ID, failed_at=AT, code="timeout", detail="ask", retryable=True)

# A short alphabet of its own: hypothesis writes a table of all characters to disk otherwise.
# NUL and half a surrogate pair are text that JSON can carry and others cannot.
texts = st.text(alphabet='aZ0-_ é京🌍"\\\n\x00\ud800', max_size=8)
sources = st.text(alphabet="az09_-", max_size=63).map("d".__add__)
attempts = st.integers(1, 2**31 - 1)
instants = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))]),
)
points = st.builds(Point, lat=st.floats(-90, 90), lon=st.floats(-180, 180), name=st.none() | texts)
requests = st.builds(FetchRequested, job_id=st.uuids(), source=sources, attempt=attempts)
fetched = st.builds(
    BatchFetched,
    job_id=st.uuids(),
    fetched_at=instants,
    points=st.lists(points, min_size=1, max_size=5).map(tuple),
    attempt=attempts,
)
failed = st.builds(
    FetchFailed,
    job_id=st.uuids(),
    failed_at=instants,
    code=st.text(alphabet="abc-", min_size=1, max_size=64),
    detail=texts,
    retryable=st.booleans(),
    attempt=attempts,
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def travelled(raw: object) -> Any:
    return json.loads(json.dumps(raw))


def raw_request(**fields: object) -> dict[str, Any]:
    return {**travelled(msgspec.to_builtins(REQUEST)), **fields}


def raw_batch(**fields: object) -> dict[str, Any]:
    return {**travelled(msgspec.to_builtins(BATCH)), **fields}


def raw_failure(**fields: object) -> dict[str, Any]:
    return {**travelled(msgspec.to_builtins(FAILURE)), **fields}


def without(raw: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name != field}


def complaint(read: Callable[[object], object], raw: object) -> str:
    try:
        read(raw)
    except MessageError as error:
        return str(error)
    return ""


def test_a_request_on_the_wire() -> None:
    assert msgspec.to_builtins(REQUEST) == {
        "type": "fetch-requested",
        "job_id": str(ID),
        "source": "demo",
        "attempt": 1,
        "requested_at": None,
        "traceparent": None,
        "version": 1,
    }


def test_a_batch_on_the_wire() -> None:
    assert travelled(msgspec.to_builtins(BATCH)) == {
        "type": "batch-fetched",
        "job_id": str(ID),
        "fetched_at": "2026-01-02T03:04:05.678901Z",
        "points": [
            {"lat": 1.0, "lon": 2.0, "name": "a"},
            {"lat": 3.0, "lon": 4.0, "name": None},
        ],
        "attempt": 1,
        "requested_at": None,
        "traceparent": None,
        "version": 1,
    }


def test_a_failure_on_the_wire() -> None:
    assert msgspec.to_builtins(FAILURE) == {
        "type": "fetch-failed",
        "job_id": str(ID),
        "failed_at": "2026-01-02T03:04:05.678901Z",
        "code": "timeout",
        "detail": "ask",
        "retryable": True,
        "attempt": 1,
        "traceparent": None,
        "version": 1,
    }


@given(requests)
def test_a_request_arrives_as_it_was_sent(request: FetchRequested) -> None:
    assert codec.read_request(travelled(msgspec.to_builtins(request))) == request


@given(fetched | failed)
def test_an_outcome_arrives_as_it_was_sent(outcome: FetchOutcome) -> None:
    assert codec.read_outcome(travelled(msgspec.to_builtins(outcome))) == outcome


def test_a_message_of_before_there_were_attempts_and_versions_is_the_first_attempt() -> None:
    raw = without(without(raw_request(), "attempt"), "version")

    assert codec.read_request(raw) == REQUEST


def test_unknown_fields_are_left_alone_so_that_a_newer_sender_may_add_some() -> None:
    named = {"lat": 1.0, "lon": 2.0, "name": "a", "depth": 10}

    assert codec.read_request(raw_request(priority=3)) == REQUEST
    assert codec.read_outcome(raw_batch(points=[named, BATCH.points[1]], etag="x")) == BATCH
    assert codec.read_outcome(raw_failure(trace=[1, {}])) == FAILURE


@pytest.mark.parametrize("version", [0, 2, 1.5, "1", None, [], {"major": 1}, 10**20, "9" * 9999])
@pytest.mark.parametrize(
    ("read", "raw"),
    [
        (codec.read_request, raw_request()),
        (codec.read_outcome, raw_batch()),
        (codec.read_outcome, raw_failure()),
    ],
)
def test_another_version_is_refused_whatever_else_it_holds(
    read: Callable[[object], object], raw: dict[str, Any], version: object
) -> None:
    with pytest.raises(UnsupportedVersionError, match="reads version 1 of messages, not") as caught:
        read({**raw, "version": version, "source": 5, "points": None})

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"job_id": "not-a-uuid"}, r"Invalid UUID - at `\$\.job_id`"),
        ({"job_id": None}, r"at `\$\.job_id`"),
        ({"job_id": "\ud800"}, "surrogates"),
        ({"source": ""}, r"length >= 1 - at `\$\.source`"),
        ({"source": "x" * 65}, r"length <= 64 - at `\$\.source`"),
        ({"source": "Demo"}, r"at `\$\.source`"),
        ({"source": "-demo"}, r"at `\$\.source`"),
        ({"source": "../demo"}, r"at `\$\.source`"),
        ({"source": "demo\n"}, r"at `\$\.source`"),
        ({"attempt": 0}, r"`int` >= 1 - at `\$\.attempt`"),
        ({"attempt": 2**31}, r"`int` <= 2147483647 - at `\$\.attempt`"),
        ({"attempt": "1"}, r"got `str` - at `\$\.attempt`"),
        ({"attempt": True}, r"got `bool` - at `\$\.attempt`"),
        ({"version": True}, r"got `bool` - at `\$\.version`"),
        ({"type": "batch-fetched"}, r"'batch-fetched' - at `\$\.type`"),
        ({"type": 1}, r"at `\$\.type`"),
        ({"\ud800": 1}, "surrogates"),
    ],
)
def test_a_malformed_request_is_refused_and_the_field_named(
    fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(MalformedMessageError, match=reason):
        codec.read_request(raw_request(**fields))


@pytest.mark.parametrize(
    ("read", "raw", "field"),
    [
        *((codec.read_request, raw_request(), name) for name in ("type", "job_id", "source")),
        *(
            (codec.read_outcome, raw_batch(), name)
            for name in ("type", "job_id", "fetched_at", "points")
        ),
        *(
            (codec.read_outcome, raw_failure(), name)
            for name in ("type", "job_id", "failed_at", "code", "detail", "retryable")
        ),
    ],
)
def test_a_message_without_a_field_is_refused_and_the_field_named(
    read: Callable[[object], object], raw: dict[str, Any], field: str
) -> None:
    with pytest.raises(MalformedMessageError, match=f"field `{field}`"):
        read(without(raw, field))


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ({"lat": 90.5, "lon": 0.0}, r"latitude 90\.5 is not between .* - at `\$\.points\[1\]`"),
        ({"lat": 0.0, "lon": -181}, r"longitude -181\.0 is not .* - at `\$\.points\[1\]`"),
        ({"lat": float("nan"), "lon": 0.0}, r"latitude nan .* - at `\$\.points\[1\]`"),
        ({"lat": 0.0, "lon": float("inf")}, r"longitude inf .* - at `\$\.points\[1\]`"),
        ({"lat": "1", "lon": 0.0}, r"at `\$\.points\[1\]\.lat`"),
        ({"lat": 10**400, "lon": 0.0}, r"at `\$\.points\[1\]\.lat`"),
        ({"lat": 1.0}, r"field `lon` - at `\$\.points\[1\]`"),
        ({"lat": 1.0, "lon": 2.0, "name": 3}, r"at `\$\.points\[1\]\.name`"),
        ([1.0, 2.0], r"at `\$\.points\[1\]`"),
        (None, r"at `\$\.points\[1\]`"),
    ],
)
def test_an_invalid_point_in_a_batch_is_refused_and_its_place_named(
    place: object, reason: str
) -> None:
    good = {"lat": 0.0, "lon": 0.0}

    with pytest.raises(MalformedMessageError, match=reason):
        codec.read_outcome(travelled(raw_batch(points=[good, place, good])))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (raw_batch(points=[]), r"length >= 1 - at `\$\.points`"),
        (raw_batch(points=None), r"at `\$\.points`"),
        (raw_batch(fetched_at="2026-01-02T03:04:05"), r"timezone .* at `\$\.fetched_at`"),
        (raw_batch(fetched_at="yesterday"), r"at `\$\.fetched_at`"),
        (raw_batch(fetched_at=1767323045), r"at `\$\.fetched_at`"),
        (raw_failure(failed_at="2026-01-02T03:04:05"), r"timezone .* at `\$\.failed_at`"),
        (raw_failure(code=""), r"length >= 1 - at `\$\.code`"),
        (raw_failure(code="x" * 65), r"length <= 64 - at `\$\.code`"),
        (raw_failure(retryable="yes"), r"at `\$\.retryable`"),
        (raw_request(), r"'fetch-requested' - at `\$\.type`"),
        ([raw_batch()], "Expected `object`, got `array`"),
        ("{}", "Expected `object`, got `str`"),
        (None, "Expected `object`, got `null`"),
    ],
)
def test_a_malformed_outcome_is_refused_and_the_field_named(raw: object, reason: str) -> None:
    with pytest.raises(MalformedMessageError, match=reason):
        codec.read_outcome(raw)


@given(json_values, st.sampled_from([raw_request(), raw_batch(), raw_failure()]), st.data())
def test_whatever_arrives_is_a_message_or_an_error_fit_to_be_logged(
    value: object, raw: dict[str, Any], data: st.DataObject
) -> None:
    field = data.draw(st.sampled_from(sorted(raw)) | texts)
    for arrived in travelled([value, {**raw, field: value}]):
        for read in (codec.read_request, codec.read_outcome):
            assert len(complaint(read, arrived).encode()) < 1000


def test_the_reason_of_a_huge_fault_is_short_and_still_names_the_field() -> None:
    with pytest.raises(MalformedMessageError, match=r"at `\$\.type`$") as caught:
        codec.read_request(raw_request(type="x" * 100_000))

    assert len(str(caught.value)) < 600


def test_a_long_detail_is_cut_by_sender_and_reader_alike() -> None:
    long = "x" * (MAX_DETAIL + 1)
    sent = FetchFailed(job_id=ID, failed_at=AT, code="c", detail=long, retryable=False)
    read = codec.read_outcome(raw_failure(detail=long))

    assert sent.detail == long[:-1]
    assert isinstance(read, FetchFailed)
    assert read.detail == long[:-1]


@pytest.mark.parametrize("message", [BATCH, FAILURE], ids=["batch", "failure"])
def test_json_is_read_as_its_builtins_are(message: FetchOutcome) -> None:
    assert codec.decode_outcome(json.dumps(msgspec.to_builtins(message)).encode()) == message
    assert codec.decode_request(json.dumps(msgspec.to_builtins(REQUEST)).encode()) == REQUEST


@given(
    st.sampled_from([msgspec.to_builtins(it) for it in (BATCH, FAILURE, REQUEST)]).map(dict),
    st.data(),
)
def test_what_is_wrong_with_json_is_told_as_of_its_builtins(
    raw: dict[str, Any], data: st.DataObject
) -> None:
    field = data.draw(st.sampled_from(sorted(raw)))
    if data.draw(st.booleans()):
        del raw[field]
    else:
        raw[field] = data.draw(scalars.filter(lambda it: not isinstance(it, str) or it.isascii()))
    for decode, read in (
        (codec.decode_request, codec.read_request),
        (codec.decode_outcome, codec.read_outcome),
    ):
        # What JSON does not have, such as NaN, is null.
        builtins = msgspec.json.decode(msgspec.json.encode(raw))
        assert _result(decode, msgspec.json.encode(raw)) == _result(read, builtins)


def _result(read: Callable[[Any], object], raw: object) -> object:
    try:
        return read(raw)
    except MessageError as error:
        return type(error), str(error)


@pytest.mark.parametrize("payload", [b"", b"{", b'"\xff"', b"[" * 100_000, b'"\\ud800"'])
def test_what_is_no_json_is_malformed(payload: bytes) -> None:
    for decode in (codec.decode_request, codec.decode_outcome):
        with pytest.raises(MalformedMessageError):
            decode(payload)
