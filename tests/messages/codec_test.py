"""Between messages and the JSON that a queue carries."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from mousetrap.geo.batch import Batch
from mousetrap.geo.point import MAX_NAME, Point
from mousetrap.geo.report import MAX_NOTE, MAX_NOTES, MAX_REASONS, Report, Skipped
from mousetrap.messages import codec
from mousetrap.messages.codec import decode_outcome, read_piece
from mousetrap.messages.errors import (
    MalformedMessageError,
    MessageError,
    UnsupportedVersionError,
)
from mousetrap.messages.schema import (
    MAX_DETAIL,
    MAX_PIECE_BYTES,
    MAX_PIECE_POINTS,
    MAX_PIECES,
    MAX_POINTS,
    MAX_WHOLE,
    BatchFetched,
    FetchFailed,
    FetchOutcome,
    FetchRequested,
    LargeBatchFetched,
    Pieces,
)

ID = UUID("9f3c1d52-5b1e-4c86-9d2a-0c8f5a1b7e44")
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
REQUEST = FetchRequested(job_id=ID, source="demo")
POINTS = (Point(1.0, 2.0, "a"), Point(3.0, 4.0))
KEY = "0123456789abcdef" * 2
LARGE = LargeBatchFetched(
    ID, AT, Pieces(KEY, (10_000, 1), ids=True), attempt=3, grid=True, changes=True
)
BATCH = BatchFetched(job_id=ID, fetched_at=AT, batch=Batch.of(POINTS))
FAILURE = FetchFailed(job_id=ID, failed_at=AT, code="timeout", detail="ask", retryable=True)

# A short alphabet of its own: hypothesis writes a table of all characters to disk otherwise.
# NUL and half a surrogate pair are text that JSON can carry and others cannot.
texts = st.text(alphabet='aZ0-_ é京🌍"\\,{}\n\x00\ud800', max_size=8)
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
    batch=st.lists(points, min_size=1, max_size=5).map(Batch.of),
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


def raw_points(*points: object, **fields: object) -> dict[str, Any]:
    """A batch as the version before sends it."""
    head = {"type": "batch-fetched", "job_id": str(ID), "fetched_at": "2026-01-02T03:04:05.678901Z"}
    return {**head, "points": list(points), "attempt": 1, "version": 1, **fields}


def raw_columns(**columns: object) -> dict[str, Any]:
    return raw_batch(batch={**travelled(msgspec.to_builtins(BATCH))["batch"], **columns})


def read_request(raw: object) -> FetchRequested:
    return codec.decode_request(json.dumps(raw).encode())


def read_outcome(raw: object) -> FetchOutcome:
    return codec.decode_outcome(json.dumps(raw).encode())


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
        "job": str(ID),
        "fetched_at": "2026-01-02T03:04:05.678901Z",
        "batch": {
            "latitudes": [1.0, 3.0],
            "longitudes": [2.0, 4.0],
            "names": ["a", None],
            "ids": [],
            "groups": [],
            "values": [],
        },
        "attempt": 1,
        "requested_at": None,
        "traceparent": None,
        "report": {
            "skipped": {"count": 0, "reasons": {}, "first": []},
            "pages": 0,
            "bytes": 0,
            "status": None,
            "seconds": 0.0,
            "truncated": False,
            "warnings": [],
        },
        "grid": False,
        "changes": False,
        "version": 2,
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
    assert read_request(travelled(msgspec.to_builtins(request))) == request


@given(fetched | failed)
def test_an_outcome_arrives_as_it_was_sent(outcome: FetchOutcome) -> None:
    assert read_outcome(travelled(msgspec.to_builtins(outcome))) == outcome
    assert codec.decode_outcome(msgspec.json.encode(outcome)) == outcome


def test_a_message_of_before_there_were_attempts_and_versions_is_the_first_attempt() -> None:
    raw = without(without(raw_request(), "attempt"), "version")

    assert read_request(raw) == REQUEST


def test_unknown_fields_are_left_alone_so_that_a_newer_sender_may_add_some() -> None:
    assert read_request(raw_request(priority=3)) == REQUEST
    assert read_outcome(raw_columns(depths=[10, 20])) == BATCH
    assert read_outcome(raw_batch(etag="x")) == BATCH
    assert read_outcome(raw_failure(trace=[1, {}])) == FAILURE


@pytest.mark.parametrize(
    "version", [0, 4, 1.5, True, "1", None, [], {"major": 1}, 10**20, "9" * 9999]
)
@pytest.mark.parametrize(
    ("read", "raw"),
    [
        (read_request, raw_request()),
        (read_outcome, raw_batch()),
        (read_outcome, raw_failure()),
    ],
)
def test_another_version_is_refused_whatever_else_it_holds(
    read: Callable[[object], object], raw: dict[str, Any], version: object
) -> None:
    with pytest.raises(
        UnsupportedVersionError, match=r"reads version \d of messages, not"
    ) as caught:
        read({**raw, "version": version, "source": 5, "batch": None})

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"job_id": "not-a-uuid"}, r"Invalid UUID - at `\$\.job_id`"),
        ({"job_id": None}, r"at `\$\.job_id`"),
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
        ({"type": "batch-fetched"}, r"'batch-fetched' - at `\$\.type`"),
        ({"type": 1}, r"at `\$\.type`"),
        ({"traceparent": "0" * 129}, r"length <= 128 - at `\$\.traceparent`"),
    ],
)
def test_a_malformed_request_is_refused_and_the_field_named(
    fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(MalformedMessageError, match=reason):
        read_request(raw_request(**fields))


@pytest.mark.parametrize(
    ("read", "raw", "field"),
    [
        *((read_request, raw_request(), name) for name in ("type", "job_id", "source")),
        *((read_outcome, raw_batch(), name) for name in ("type", "job", "fetched_at", "batch")),
        *(
            (read_outcome, raw_failure(), name)
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
        ({"lat": float("nan"), "lon": 0.0}, "not JSON"),
        ({"lat": "1", "lon": 0.0}, r"at `\$\.points\[1\]\.lat`"),
        ({"lat": 10**400, "lon": 0.0}, r"at `\$\.points\[1\]\.lat`"),
        ({"lat": 1.0}, r"field `lon` - at `\$\.points\[1\]`"),
        ({"lat": 1.0, "lon": 2.0, "name": 3}, r"at `\$\.points\[1\]\.name`"),
        ([1.0, 2.0], r"at `\$\.points\[1\]`"),
        (None, r"at `\$\.points\[1\]`"),
    ],
)
def test_an_invalid_point_of_the_version_before_is_refused_and_its_place_named(
    place: object, reason: str
) -> None:
    good = {"lat": 0.0, "lon": 0.0}

    with pytest.raises(MalformedMessageError, match=reason):
        read_outcome(raw_points(good, place, good))


def test_a_batch_of_the_version_before_is_read() -> None:
    places = [{"lat": 1.0, "lon": 2.0, "name": "a", "depth": 10}, {"lat": 3.0, "lon": 4.0}]

    assert read_outcome(raw_points(*places)) == BATCH
    assert read_outcome(without(raw_points(*places), "version")) == BATCH


def test_a_process_worker_of_a_version_before_finds_no_job_to_fail_in_a_batch() -> None:
    # It fails the job of whatever it cannot read by the names that it knows; without one the
    # reconciler sends the job again, and a process worker of this version may get it.
    assert "job_id" not in msgspec.to_builtins(BATCH)
    assert not {"job_id", "job"} & msgspec.to_builtins(LARGE).keys()


def test_a_large_batch_survives_the_queue() -> None:
    assert decode_outcome(msgspec.json.encode(LARGE)) == LARGE


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"key": "../fetch"}, r"at `\$\.batch\.key`"),
        ({"key": KEY.upper()}, r"at `\$\.batch\.key`"),
        ({"points": []}, r"at `\$\.batch\.points`"),
        ({"points": [1, 0]}, r"at `\$\.batch\.points\[1\]`"),
        ({"points": [MAX_PIECE_POINTS + 1]}, r"at `\$\.batch\.points\[0\]`"),
        ({"points": [1] * (MAX_PIECES + 1)}, r"at `\$\.batch\.points`"),
        ({"points": [MAX_PIECE_POINTS] * 101}, f"more than {MAX_POINTS} points"),
    ],
)
def test_a_malformed_large_batch_is_refused_and_the_field_named(
    fields: dict[str, Any], reason: str
) -> None:
    raw = msgspec.to_builtins(LARGE)
    raw["batch"] |= fields

    with pytest.raises(MalformedMessageError, match=reason):
        read_outcome(raw)


def test_a_piece_is_read_with_its_texts_made_harmless() -> None:
    batch = Batch((1.0, 2.0), (3.0, 4.0), ("a\n", None), ids=("\x1b", "b"))
    found = read_piece(msgspec.json.encode(batch), 2)
    assert found == replace(batch, names=("a\ufffd", None), ids=("\ufffd", "b"))


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        (b"", "not a message"),
        (b"[]", "Expected `object`"),
        (b'{"latitudes":[1],"longitudes":[2]}', "names"),
        (b'{"latitudes":[1],"longitudes":[2],"names":[null]}', "a piece of 1 points in place of 2"),
        (
            b'{"latitudes":[1,91],"longitudes":[2,2],"names":[null,null]}',
            "latitude 91.0 of point 1",
        ),
        (
            b'{"latitudes":[%s],"longitudes":[],"names":[]}' % b",".join([b"1"] * 10_001),
            "more than",
        ),
        (b" " * (MAX_PIECE_BYTES + 1), "a piece of more than 4194304 bytes"),
    ],
)
def test_a_piece_that_is_none_is_refused(piece: bytes, reason: str) -> None:
    with pytest.raises(MalformedMessageError, match=reason):
        read_piece(piece, 2)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"latitudes": [0.0, 90.5]}, r"latitude 90\.5 of point 1 is not between"),
        ({"longitudes": [-181, 0]}, r"longitude -181\.0 of point 0 is not between"),
        ({"latitudes": [0.0]}, r"1 latitudes, 2 longitudes and 2 names"),
        ({"names": []}, r"2 longitudes and 0 names"),
        ({"latitudes": [0.0, "1"]}, r"at `\$\.batch\.latitudes\[1\]`"),
        ({"latitudes": [0.0, None]}, r"at `\$\.batch\.latitudes\[1\]`"),
        ({"latitudes": [0.0, True]}, r"at `\$\.batch\.latitudes\[1\]`"),
        ({"names": ["a", 3]}, r"at `\$\.batch\.names\[1\]`"),
        ({"names": ["a", "b" * (MAX_NAME + 1)]}, "201 characters in one of names, 200 are allowed"),
        ({"names": None}, r"at `\$\.batch\.names`"),
        ({"latitudes": [], "longitudes": [], "names": []}, "at least one point"),
        ({"latitudes": [0.0] * (MAX_WHOLE + 1)}, "more than 250000 latitudes"),
        ({"longitudes": [0.0] * (MAX_WHOLE + 1)}, "more than 250000 longitudes"),
        ({"names": ["a", "b", "c"]}, "more names than the 2 latitudes"),
        ({"names": ["a", None, None]}, "2 longitudes and 3 names"),
        ({"ids": ["a"]}, "2 points and 1 ids"),
        ({"ids": ["a", 3]}, r"at `\$\.batch\.ids\[1\]`"),
        ({"groups": ["a", "b", "c"]}, "more groups than the 2 latitudes"),
        ({"groups": ["a", "b" * (MAX_NAME + 1)]}, "201 characters in one of groups"),
        ({"values": [1.5]}, "2 points and 1 values"),
        ({"values": ["1", None]}, r"at `\$\.batch\.values\[0\]`"),
        ({"values": [0.0] * (MAX_WHOLE + 1)}, "more than 250000 values"),
    ],
)
def test_an_invalid_batch_is_refused_and_its_fault_named(
    columns: dict[str, Any], reason: str
) -> None:
    with pytest.raises(MalformedMessageError, match=reason):
        read_outcome(raw_columns(**columns))


def test_what_a_source_was_asked_for_beside_positions_is_read() -> None:
    outcome = read_outcome(raw_columns(ids=["a\0", None], groups=[None, "b"], values=[None, 2.5]))

    assert isinstance(outcome, BatchFetched)
    assert outcome.batch.ids == ("a\ufffd", None)
    assert outcome.batch.groups == (None, "b")
    assert outcome.batch.values == (None, 2.5)


def test_the_report_of_a_batch_is_read_and_bounded() -> None:
    skipped = Skipped(30, {f"reason {n}\0": 1 for n in range(30)}, ("features[0]: x" * 100,) * 30)
    report = Report(skipped, 2, 4096, 200, 0.5, warnings=("\x1b[31m",) * 30)

    outcome = read_outcome(travelled(msgspec.to_builtins(structs.replace(BATCH, report=report))))

    assert isinstance(outcome, BatchFetched)
    read = outcome.report
    assert (read.pages, read.bytes, read.status, read.seconds) == (2, 4096, 200, 0.5)
    assert read.skipped.count == 30
    assert list(read.skipped.reasons)[-1] == f"reason {MAX_REASONS - 1}\ufffd"
    assert len(read.skipped.reasons) == MAX_REASONS
    assert list(map(len, read.skipped.first)) == [MAX_NOTE] * MAX_NOTES
    assert read.warnings == ("\ufffd[31m",) * MAX_NOTES


@pytest.mark.parametrize("report", [{"pages": -1}, {"bytes": 2**60}, {"skipped": {"count": -1}}])
def test_a_report_with_an_impossible_number_is_refused(report: dict[str, Any]) -> None:
    message = msgspec.to_builtins(BATCH) | {"report": report}

    with pytest.raises(MalformedMessageError, match="a number of the report is out of range"):
        read_outcome(travelled(message))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x1b[31mb", "a\ufffd[31mb"),
        ("a\0\n\x7f\x9b", "a" + 4 * "\ufffd"),
        ("a\u202eb\u2066", "a\ufffdb\ufffd"),
        tuple(2 * ["👩\u200d🔬 東京\u200c\u3000\xa0"]),
    ],
)
def test_no_control_character_comes_out_of_a_message(text: str, kept: str) -> None:
    batch = read_outcome(raw_columns(names=[text, None]))
    before = read_outcome(raw_points({"lat": 1.0, "lon": 2.0, "name": text}))
    failure = read_outcome(raw_failure(detail=text))

    assert isinstance(batch, BatchFetched)
    assert isinstance(before, BatchFetched)
    assert isinstance(failure, FetchFailed)
    assert batch.batch.names == (kept, None)
    assert before.batch.names == (kept,)
    assert failure.detail == kept


def test_no_more_points_of_the_version_before_are_read_than_a_batch_may_have() -> None:
    with pytest.raises(MalformedMessageError, match="more than 250000 points"):
        read_outcome(raw_points(*[{}] * (MAX_WHOLE + 1)))


def test_a_name_of_the_version_before_is_no_longer_than_others() -> None:
    with pytest.raises(MalformedMessageError, match="200 are allowed"):
        read_outcome(raw_points({"lat": 1.0, "lon": 2.0, "name": "x" * (MAX_NAME + 1)}))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (raw_points(), "at least one point"),
        (raw_points(points=None), r"at `\$\.points`"),
        (raw_batch(batch=None), r"at `\$\.batch`"),
        (raw_batch(fetched_at="2026-01-02T03:04:05"), r"timezone .* at `\$\.fetched_at`"),
        (raw_batch(fetched_at="yesterday"), r"at `\$\.fetched_at`"),
        (raw_batch(fetched_at=1767323045), r"at `\$\.fetched_at`"),
        (raw_failure(failed_at="2026-01-02T03:04:05"), r"timezone .* at `\$\.failed_at`"),
        (raw_failure(code=""), r"length >= 1 - at `\$\.code`"),
        (raw_failure(code="x" * 65), r"length <= 64 - at `\$\.code`"),
        (raw_failure(code="\x1b[31m"), r"at `\$\.code`"),
        (raw_failure(retryable="yes"), r"at `\$\.retryable`"),
        (raw_request(), r"'fetch-requested' - at `\$\.type`"),
        ([raw_batch()], "Expected `object`, got `array`"),
        ("{}", "Expected `object`, got `str`"),
        (None, "Expected `object`, got `null`"),
    ],
)
def test_a_malformed_outcome_is_refused_and_the_field_named(raw: object, reason: str) -> None:
    with pytest.raises(MalformedMessageError, match=reason):
        read_outcome(raw)


@given(json_values, st.sampled_from([raw_request(), raw_batch(), raw_failure()]), st.data())
def test_whatever_arrives_is_a_message_or_an_error_fit_to_be_logged(
    value: object, raw: dict[str, Any], data: st.DataObject
) -> None:
    field = data.draw(st.sampled_from(sorted(raw)) | texts)
    for arrived in (value, {**raw, field: value}):
        for read in (read_request, read_outcome):
            assert len(complaint(read, arrived).encode()) < 1000


def test_the_reason_of_a_huge_fault_is_short_and_still_names_the_field() -> None:
    with pytest.raises(MalformedMessageError, match=r"at `\$\.type`$") as caught:
        read_request(raw_request(type="x" * 100_000))

    assert len(str(caught.value)) < 600


def test_a_long_detail_is_cut_by_sender_and_reader_alike() -> None:
    long = "x" * (MAX_DETAIL + 1)
    sent = FetchFailed(job_id=ID, failed_at=AT, code="c", detail=long, retryable=False)
    read = read_outcome(raw_failure(detail=long))

    assert sent.detail == long[:-1]
    assert isinstance(read, FetchFailed)
    assert read.detail == long[:-1]


@pytest.mark.parametrize("message", [BATCH, FAILURE], ids=["batch", "failure"])
def test_json_is_read_as_its_builtins_are(message: FetchOutcome) -> None:
    assert codec.decode_outcome(json.dumps(msgspec.to_builtins(message)).encode()) == message
    assert codec.decode_request(json.dumps(msgspec.to_builtins(REQUEST)).encode()) == REQUEST


@pytest.mark.parametrize("payload", [b"", b"{", b'"\xff"', b"[" * 100_000, b'"\\ud800"'])
def test_what_is_no_json_is_malformed(payload: bytes) -> None:
    for decode in (codec.decode_request, codec.decode_outcome):
        with pytest.raises(MalformedMessageError):
            decode(payload)
