"""The OpenAPI document: Litestar's, with msgspec's schemas of the bodies."""

import copy
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from mousetrap.api.http import problems
from mousetrap.api.openapi import named, security
from mousetrap.api.openapi.examples import EXAMPLES
from mousetrap.api.openapi.headers import HEADERS
from mousetrap.api.openapi.links import LINKS
from mousetrap.api.schema.dead_letter import DeadLetterPage
from mousetrap.api.schema.details import ChangeList
from mousetrap.api.schema.geojson import (
    FeatureCollection,
    NoSummaryFeature,
    SummaryCollection,
    SummaryFeature,
)
from mousetrap.api.schema.health import Alive, Ready
from mousetrap.api.schema.job import JobDetails, JobPage, RefreshAccepted, RefreshRequest
from mousetrap.api.schema.problem import Problem
from mousetrap.api.schema.queue import QueueList
from mousetrap.api.schema.source import SourceList
from mousetrap.api.schema.summary import NoSummary, Summary, SummaryPage

Json = dict[str, Any]

REFERENCE: Final = "#/components/schemas/"

SCHEMAS: Final = (
    Alive,
    ChangeList,
    DeadLetterPage,
    FeatureCollection,
    JobDetails,
    JobPage,
    NoSummary,
    NoSummaryFeature,
    Problem,
    QueueList,
    Ready,
    RefreshAccepted,
    RefreshRequest,
    SourceList,
    Summary,
    SummaryCollection,
    SummaryFeature,
    SummaryPage,
)
"""The bodies of requests and answers; nested schemas follow from them."""

INTRODUCTION: Final = """\
Ask for a fresh summary with `POST /refresh`, follow its job, read the newest summary at `GET /`.
Latitudes and longitudes are degrees, WGS 84. Times are UTC.

Beyond loopback every request needs a token, in `Authorization: Bearer TOKEN`; each operation below
names the scope that its token needs. An operator adds tokens to the file that
`MOUSETRAP_API_TOKENS_FILE` names.

The header `Accept` chooses between the media types that an operation lists for its answer; without
it the first one is sent. An operation that has none of the accepted types answers 406 and lists its
own.

Every error is a problem (RFC 9457, `application/problem+json`), whatever is accepted. Its `type` is
stable: rely on it. The end of this page lists all types.

| type | status | meaning |
| --- | --- | --- |
"""


def introduction() -> str:
    """Return the text at the top of `/docs`, which lists all types of problems."""
    kinds = sorted(problems.kinds(), key=lambda kind: (kind.status, kind.code))
    return INTRODUCTION + "\n".join(
        f"| `{problems.TYPE_PREFIX}{kind.code}` | {kind.status} | {kind().detail} |"
        for kind in kinds
    )


def refine(document: Json) -> Json:
    """Return the document with exact schemas of the bodies, examples, links and headers.

    Litestar's schemas lack the descriptions of structs, the lengths of arrays and the ban on
    unknown fields, and its examples lack every null. An optional parameter may be absent, but not
    null.
    """
    refined = copy.deepcopy(document)
    _, schemas = msgspec.json.schema_components(SCHEMAS, ref_template=REFERENCE + "{name}")
    for schema in objects(schemas):
        # `maxItems` already excludes further items, and client generators reject `false`.
        if schema.get("items") is False:
            del schema["items"]
    refined["components"] = {
        "schemas": named.named(schemas),
        "headers": HEADERS,
        "securitySchemes": security.SCHEMES,
    }
    security.protect(refined)
    for operation in operations(refined):
        for parameter in operation.get("parameters", []):
            parameter["schema"] = _without_null(parameter["schema"])
        _illustrate(operation.get("requestBody", {}))
        for status, response in operation["responses"].items():
            _illustrate(response)
            _name_headers(response, status, tagged="304" in operation["responses"])
            if status.startswith("2") and operation["operationId"] in LINKS:
                response["links"] = LINKS[operation["operationId"]]
    return refined


def objects(value: Any) -> Iterator[Json]:
    """Yield every object in a part of a document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from objects(part)


def _illustrate(body: Json) -> None:
    for content in body.get("content", {}).values():
        schema = content["schema"]
        names = {it.get("$ref", "") for it in (schema, *schema.get("oneOf", []))}
        for example in content.get("examples", {}).values():
            example.pop("id", None)  # Litestar repeats the name of the example here
        content.setdefault("examples", {}).update(
            {
                name: {"value": msgspec.json.decode(msgspec.json.encode(example))}
                for name, example in EXAMPLES.items()
                if REFERENCE + type(example).__name__ in names
            }
        )


def _name_headers(response: Json, status: str, *, tagged: bool) -> None:
    wanted = ["X-Request-ID", *response.get("headers", {})]
    if status in {"401", "403"}:
        wanted.append("WWW-Authenticate")
    if status in {"429", "503"}:
        wanted.append("Retry-After")
    if tagged and status in {"200", "304"}:
        wanted.append("ETag")
    response["headers"] = {
        name: {"$ref": f"#/components/headers/{name}"} for name in wanted if name in HEADERS
    }


def operations(document: Json) -> Iterator[Json]:
    """Yield every operation of a document."""
    for path in document["paths"].values():
        yield from path.values()


def _without_null(schema: Json) -> Json:
    choices = [choice for choice in schema.get("oneOf", []) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key != "oneOf"}
    return {**rest, **choices[0]}
