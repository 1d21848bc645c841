import contextlib
import json
import re
from datetime import datetime
from typing import Any, get_args, get_type_hints
from uuid import UUID

import httpx2
import msgspec
import pytest

from mousetrap.api.http import problems
from mousetrap.api.openapi.document import SCHEMAS, objects, operations
from mousetrap.api.openapi.links import LINKS
from mousetrap.api.schema import (
    dead_letter,
    geojson,
    health,
    job,
    problem,
    queue,
    source,
    summary,
)

Document = dict[str, Any]

OPERATIONS = {
    ("get", "/"),
    ("post", "/refresh"),
    ("post", "/jobs/{job_id}/retry"),
    ("get", "/dead-letters"),
    ("get", "/jobs"),
    ("get", "/jobs/{job_id}"),
    ("get", "/summaries"),
    ("get", "/summaries/{job_id}"),
    ("get", "/summaries/{job_id}/points"),
    ("get", "/summaries/{job_id}/changes"),
    ("get", "/sources"),
    ("get", "/events"),
    ("get", "/queues"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/metrics"),
}


def resolved(document: Document, schema: Document) -> Document:
    """Return a schema, or the component that it refers to."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Document = document["components"]["schemas"][name] if name else schema
    return found


def test_holds_every_operation(document: Document) -> None:
    found = {(method, path) for path, item in document["paths"].items() for method in item}

    assert found == OPERATIONS


@pytest.mark.parametrize("name", ["BoundingBox", "Centroid", "Position", "Timestamp"])
def test_a_shape_that_many_bodies_share_is_a_component(document: Document, name: str) -> None:
    component = document["components"]["schemas"][name]
    shape = {key: value for key, value in component.items() if key != "description"}
    inline = [it for it in objects(document["components"]) if shape.items() <= it.items()]

    assert inline == [component]
    assert f'"#/components/schemas/{name}"' in json.dumps(document)


def test_every_operation_declares_its_errors_as_problems(document: Document) -> None:
    for operation in operations(document):
        errors = {
            status: response
            for status, response in operation["responses"].items()
            if int(status) >= 400
        }
        assert "500" in errors
        for response in errors.values():
            assert list(response["content"]) == ["application/problem+json"]
            assert response["content"]["application/problem+json"]["schema"] == {
                "$ref": "#/components/schemas/Problem"
            }
            assert response["content"]["application/problem+json"]["examples"]


def test_every_body_is_shown_by_examples_that_fit_it(document: Document) -> None:
    found = [
        (content["schema"], example)
        for operation in operations(document)
        for body in (operation.get("requestBody", {}), *operation["responses"].values())
        for content in body.get("content", {}).values()
        for example in content["examples"].values() or [{}]
    ]

    assert len(found) > 20
    for schema, example in found:
        assert list(example) == ["value"]
        if schema == {"type": "string"}:
            assert isinstance(example["value"], str)
            continue
        references = [schema, *schema.get("oneOf", [])]
        kinds = {kind.__name__: kind for kind in SCHEMAS}
        fitting = [
            kind
            for reference in references
            if (kind := kinds.get(reference.get("$ref", "").rpartition("/")[2]))
            and fits(kind, example["value"])
        ]
        assert len(fitting) == 1, example


def fits(kind: type[msgspec.Struct], value: Any) -> bool:
    with contextlib.suppress(msgspec.ValidationError):
        return bool(json.loads(msgspec.json.encode(msgspec.convert(value, kind))) == value)
    return False


def test_every_link_leads_to_an_operation_that_takes_its_parameters(document: Document) -> None:
    known = {it["operationId"]: it for it in operations(document)}
    links = [
        (response, link)
        for operation in known.values()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]

    assert len(links) == sum(map(len, LINKS.values()))
    for response, link in links:
        taken = {it["name"] for it in known[link["operationId"]]["parameters"]}
        assert link["parameters"].keys() <= taken
        for pointer in link["parameters"].values():
            assert pointed_at(response, pointer.removeprefix("$response.body#/").split("/"))


def pointed_at(response: Document, path: list[str]) -> Any:
    """Return what stands there in the first example."""
    [value, *_] = response["content"]["application/json"]["examples"].values()
    found = value["value"]
    for step in path:
        found = found[int(step) if isinstance(found, list) else step]
    return found


def test_every_header_is_described(document: Document) -> None:
    for operation in operations(document):
        for status, response in operation["responses"].items():
            headers = {name: it["$ref"] for name, it in response["headers"].items()}
            assert "X-Request-ID" in headers
            assert ("Retry-After" in headers) is (status in {"429", "503"})
            assert ("WWW-Authenticate" in headers) is (status in {"401", "403"})
            assert ("ETag" in headers) is (
                status in {"200", "304"} and "304" in operation["responses"]
            )
            for reference in headers.values():
                name = reference.removeprefix("#/components/headers/")
                assert document["components"]["headers"][name]["description"]


def test_says_nothing_of_litestars_own_errors(document: Document) -> None:
    assert "status_code" not in json.dumps(document)


def test_every_operation_is_described(document: Document) -> None:
    names = [operation["operationId"] for operation in operations(document)]

    assert len(set(names)) == len(names)
    for operation in operations(document):
        assert operation["summary"]
        assert operation["tags"]


STRUCTS = [
    kind
    for module in (dead_letter, geojson, health, job, problem, queue, source, summary)
    for kind in vars(module).values()
    if isinstance(kind, type)
    and issubclass(kind, msgspec.Struct)
    and kind.__module__ == module.__name__
    and kind is not summary.SummaryDetails  # a base of others only
]


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_every_time_and_every_id_has_its_format(
    document: Document, kind: type[msgspec.Struct]
) -> None:
    properties = document["components"]["schemas"][kind.__name__]["properties"]
    hints = get_type_hints(kind)
    formats = {datetime: "date-time", UUID: "uuid"}
    wanted = {
        name: {formats[it] for it in (hint, *get_args(hint)) if it in formats}
        for name, hint in hints.items()
    }

    for name, expected in wanted.items():
        schema = properties[name]
        choices = [resolved(document, it) for it in (schema, *schema.get("anyOf", []))]
        found = {it.get("format") for it in choices} - {None}
        assert found == expected, name


def test_times_and_ids_are_among_the_fields() -> None:
    hints = [hint for kind in STRUCTS for hint in get_type_hints(kind).values()]

    assert sum(it in {datetime, datetime | None} for it in hints) >= 10
    assert sum(it in {UUID, UUID | None} for it in hints) >= 6


def test_every_array_that_is_a_tuple_has_its_length(document: Document) -> None:
    text = json.dumps(document)
    tuples = [it for it in objects(document) if "prefixItems" in it]

    assert '"items": false' not in text  # generators of clients refuse it
    assert len(tuples) >= 4
    for it in tuples:
        assert it["minItems"] == it["maxItems"] == len(it["prefixItems"])


def test_every_reference_leads_somewhere(document: Document) -> None:
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))

    assert names
    assert names <= set(document["components"]["schemas"])


def test_every_schema_is_described_and_of_use(document: Document) -> None:
    text = json.dumps(document)
    for name, schema in document["components"]["schemas"].items():
        assert f'"#/components/schemas/{name}"' in text
        assert schema.get("description"), name


def test_the_body_of_a_refresh_may_be_left_out(document: Document) -> None:
    body = document["paths"]["/refresh"]["post"]["requestBody"]

    assert body["required"] is False
    assert document["components"]["schemas"]["RefreshRequest"]["additionalProperties"] is False


def test_parameters_may_be_left_out_but_not_null(document: Document) -> None:
    for operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert "null" not in json.dumps(parameter["schema"])
            assert parameter["description"]
            assert parameter["required"] is (parameter["in"] == "path")


def test_lists_all_types_of_problems(document: Document) -> None:
    for kind in problems.kinds():
        assert f"`urn:mousetrap:problem:{kind.code}`" in document["info"]["description"]


async def test_is_served(client: httpx2.AsyncClient, document: Document) -> None:
    answer = await client.get("/docs/openapi.json")

    assert answer.headers["content-type"] == "application/vnd.oai.openapi+json"
    assert answer.json() == document


@pytest.mark.parametrize("path", ["/health/live", "/refresh"])
def test_examples_are_problems(document: Document, path: str) -> None:
    [operation] = document["paths"][path].values()
    content = operation["responses"]["500"]["content"]["application/problem+json"]

    assert content["examples"]["internal-error"]["value"]["status"] == 500
