"""One instant has one name in every answer, and one name stands for one instant."""

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import httpx2

from api.conftest import Document, Workers
from mousetrap.api.openapi.document import objects

NAMES = {
    "requested_at": "when the refresh was accepted",
    "fetched_at": "when the batch was fetched",
    "finished_at": "when the job succeeded or failed",
    "failed_at": "when it failed",
    "next_attempt_at": "when the next attempt is due after one that failed; null while none waits",
    "scheduled_for": "its slot in the schedule of its source; null if a caller requested it",
    "next_scheduled_at": "the next slot of its schedule; null without one",
    "since": "when it came into this state, or failed first; null if its last fetch did not fail",
    "buried_at": "when it was stored",
}
EARLIER = {"processed_at": "an earlier name of `finished_at`, for callers of earlier versions"}


def told(field: Document) -> Iterator[str]:
    for it in (field, *field.get("anyOf", [])):
        if "description" in it:
            yield it["description"]


def is_instant(field: Document) -> bool:
    return '"#/components/schemas/Timestamp"' in json.dumps(field) and field.get("type") is None


def test_each_name_of_an_instant_has_one_meaning(document: Document) -> None:
    found: dict[str, set[str]] = defaultdict(set)
    deprecated = set()
    for schema in document["components"]["schemas"].values():
        for name, field in schema.get("properties", {}).items():
            if is_instant(field):
                found[name].update(told(field))
            if any(it.get("deprecated") for it in objects(field)):
                deprecated.add(name)

    assert found == {name: {meaning} for name, meaning in (NAMES | EARLIER).items()}
    assert deprecated == EARLIER.keys()


def instants(value: Any) -> Iterator[tuple[datetime, str]]:
    for it in objects(value):
        for name, text in it.items():
            with suppress(TypeError, ValueError):
                yield datetime.fromisoformat(text), name


async def test_an_instant_of_a_job_has_one_name_in_all_answers(
    client: httpx2.AsyncClient, workers: Workers
) -> None:
    job_id = await workers.succeed()
    names: dict[datetime, set[str]] = defaultdict(set)
    answered = 0
    for path in ("/", "/jobs", f"/jobs/{job_id}", "/summaries", f"/summaries/{job_id}", "/sources"):
        for accept in ("application/json", "application/geo+json"):
            answer = await client.get(path, headers={"Accept": accept})
            if answer.is_success:
                answered += 1
                for instant, name in instants(answer.json()):
                    names[instant].add(name)

    of_job = [
        found - EARLIER.keys() for found in names.values() if "next_scheduled_at" not in found
    ]
    assert answered == 9
    assert sorted(map(sorted, of_job)) == [["fetched_at"], ["finished_at"], ["requested_at"]]
