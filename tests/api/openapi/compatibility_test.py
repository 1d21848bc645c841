"""Nothing that callers rely on changes without being noticed."""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest

from support.contract import broken

Document = dict[str, Any]

PUBLISHED = Path("tests/resources/openapi.json")
"""The document of the last release, which the next one replaces: see CONTRIBUTING.md."""


def schema(document: Document, name: str) -> Document:
    found: Document = document["components"]["schemas"][name]
    return found


def test_callers_of_the_last_release_are_understood(document: Document) -> None:
    assert broken(json.loads(PUBLISHED.read_text("utf-8")), document) == []


@pytest.mark.skipif("TEST_RELEASE" not in os.environ, reason="only a release is published")
def test_a_release_publishes_its_document(document: Document) -> None:
    assert json.loads(PUBLISHED.read_text("utf-8")) == document


def _without_a_field(it: Document) -> None:
    del schema(it, "JobStatus")["properties"]["attempts"]


def _with_an_optional_field(it: Document) -> None:
    schema(it, "JobStatus")["required"].remove("attempts")


def _with_another_type(it: Document) -> None:
    schema(it, "JobStatus")["properties"]["attempts"] = {"type": "string"}


def _with_null(it: Document) -> None:
    field = schema(it, "JobStatus")["properties"]
    field["attempts"] = {"anyOf": [field["attempts"], {"type": "null"}]}


def _with_another_state(it: Document) -> None:
    schema(it, "State")["enum"].append("lost")


def _with_another_format(it: Document) -> None:
    schema(it, "Timestamp")["format"] = "date"


def _without_an_operation(it: Document) -> None:
    del it["paths"]["/jobs"]["get"]


def _without_a_parameter(it: Document) -> None:
    it["paths"]["/jobs"]["get"]["parameters"].pop()


def _without_a_media_type(it: Document) -> None:
    content = it["paths"]["/summaries"]["get"]["responses"]["200"]["content"]
    del content["application/geo+json"]


def _with_another_type_at_a_place(it: Document) -> None:
    schema(it, "Position")["prefixItems"][1] = {"type": "string"}


def _with_another_length(it: Document) -> None:
    schema(it, "Position")["prefixItems"].append({"type": "number"})


def _with_another_type_of_all_fields(it: Document) -> None:
    schema(it, "Skipped")["properties"]["reasons"]["additionalProperties"] = {"type": "string"}


def _with_any_fields(it: Document) -> None:
    del schema(it, "Skipped")["properties"]["reasons"]["additionalProperties"]


def _with_a_field_where_none_was(it: Document) -> None:
    schema(it, "NoSummary")["properties"]["colour"] = {"type": "string"}


def _with_any_fields_where_none_was(it: Document) -> None:
    del schema(it, "NoSummary")["additionalProperties"]


@pytest.mark.parametrize(
    "change",
    [
        _without_a_field,
        _with_an_optional_field,
        _with_another_type,
        _with_null,
        _with_another_state,
        _with_another_format,
        _without_an_operation,
        _without_a_parameter,
        _without_a_media_type,
        _with_another_type_at_a_place,
        _with_another_length,
        _with_another_type_of_all_fields,
        _with_any_fields,
        _with_a_field_where_none_was,
        _with_any_fields_where_none_was,
    ],
)
def test_what_would_break_them_is_told(document: Document, change: Any) -> None:
    changed = copy.deepcopy(document)
    change(changed)

    assert broken(document, changed)


def test_more_fields_and_operations_break_nobody(document: Document) -> None:
    more = copy.deepcopy(document)
    schema(more, "JobStatus")["properties"]["colour"] = {"type": "string"}
    more["paths"]["/colours"] = more["paths"]["/queues"]

    assert broken(document, more) == []
