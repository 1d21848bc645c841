"""Answers of the running API, by what the document promises of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import httpx2

Document = dict[str, Any]

JSON: Final = ("application/json", "application/geo+json")


class Kind(NamedTuple):
    """One entry of the document: the id of an operation, a status and a media type."""

    operation: str
    status: str
    media: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in JSON, and the schema that the document has of it."""

    kind: Kind
    schema: Document
    body: bytes


class Asked:
    """Sends requests by the ids of their operations, and keeps the answers."""

    def __init__(self, document: Document, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._operations = {
            operation["operationId"]: (method, path, operation["responses"])
            for path, item in document["paths"].items()
            for method, operation in item.items()
        }
        self.answers: list[Answer] = []

    async def ask(self, operation: str, job: str = "", **options: Any) -> Any:
        """Return the body of an answer in JSON, read."""
        method, path, _ = self._operations[operation]
        found = await self._client.request(method, path.format(job_id=job), **options)
        self.keep(operation, found)
        return found.json()

    def keep(self, operation: str, found: httpx2.Response) -> None:
        """Keep an answer in JSON."""
        responses = self._operations[operation][2]
        status, media = str(found.status_code), found.headers["content-type"].partition(";")[0]
        schema = responses[status]["content"][media]["schema"]
        self.answers.append(Answer(Kind(operation, status, media), schema, found.content))

    def missing(self) -> Iterator[Kind]:
        """Yield the kinds of answers in JSON to requests that succeed of which there is none."""
        found = {answer.kind for answer in self.answers}
        for operation, (_, _, responses) in self._operations.items():
            for status, response in responses.items():
                for media in response.get("content", {}):
                    kind = Kind(operation, status, media)
                    if status.startswith("2") and media in JSON and kind not in found:
                        yield kind
