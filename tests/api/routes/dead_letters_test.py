from base64 import b64encode
from dataclasses import replace
from uuid import uuid4

import httpx2
import pytest

from mousetrap.store.database import Database
from mousetrap.store.dead_letters import DeadLetterStore
from support.samples import LETTER


@pytest.fixture
def letters(database: Database) -> DeadLetterStore:
    return database.dead_letters


async def test_there_are_none_as_long_as_all_is_well(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/dead-letters")).json() == {"items": [], "next": None}


async def test_a_letter_is_shown_with_its_bytes_and_the_reason(
    client: httpx2.AsyncClient, letters: DeadLetterStore
) -> None:
    await letters.keep([replace(LETTER, job_id=(job_id := uuid4()))])

    [letter] = (await client.get("/dead-letters")).json()["items"]

    assert letter.pop("id") > 0
    assert letter.pop("buried_at").endswith("Z")
    assert letter == {
        "queue": LETTER.queue,
        "entry": LETTER.id,
        "reason": LETTER.reason,
        "deliveries": LETTER.deliveries,
        "job_id": str(job_id),
        "size": LETTER.size,
        "body": b64encode(LETTER.body).decode(),
    }


async def test_pages_hold_every_letter_once(
    client: httpx2.AsyncClient, letters: DeadLetterStore
) -> None:
    await letters.keep([replace(LETTER, id=f"{number}-0") for number in range(5)])

    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/dead-letters", params=query)).json()
        seen += [letter["entry"] for letter in page["items"]]
        if not (cursor := page["next"]):
            break

    assert seen == [f"{number}-0" for number in (4, 3, 2, 1, 0)]
