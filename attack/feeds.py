"""Feeds: whoever serves one may be hostile, and must harm nothing but its own jobs."""

import json
from collections.abc import Iterator
from typing import Final

from attack.case import Act, Attack, Kind
from attack.errors import AttackError, NotHeldError
from attack.hostile_feeds import FEEDS, MARKER, redirects
from attack.sources import SCHEMES, private
from attack.target import Target

PATIENCE: Final = 120.0
LONGEST_NAME: Final = 5_000


def attacks() -> Iterator[Attack]:
    """Yield all attacks of this kind."""
    for name, feed in (FEEDS | redirects(SCHEMES.items())).items():
        act = _ends(name, may_succeed=feed.may_succeed)
        yield Attack(Kind.FEEDS, name.replace("-", " "), feed.finding, act, seconds=PATIENCE)
    for name in private(1, 1, ""):
        words = name.replace("-", " ")
        act = _stays_outside(f"inside-{name}")
        yield Attack(Kind.FEEDS, f"a feed at {words}", "M1", act, seconds=PATIENCE)
        act = _shows_nothing(f"redirect-{name}")
        yield Attack(Kind.FEEDS, f"a redirect to {words}", "M1", act, seconds=PATIENCE)


def _ends(name: str, *, may_succeed: bool) -> Act:
    async def act(target: Target) -> None:
        await _ended(target, name, may_succeed=may_succeed)

    return act


def _shows_nothing(name: str) -> Act:
    """The source allows private addresses, so the redirect may be followed, but not be shown."""
    return _ends(name, may_succeed=False)


def _stays_outside(name: str) -> Act:
    async def act(target: Target) -> None:
        await _ended(target, name, may_succeed=False)
        if target.system.victim.asked[f"/{name}"]:
            raise NotHeldError("a private address was asked")

    return act


async def _ended(target: Target, name: str, *, may_succeed: bool) -> None:
    try:
        job = await target.system.job(name, seconds=PATIENCE - 5)
    except AttackError as error:
        raise NotHeldError(str(error)) from error
    except TimeoutError:
        raise NotHeldError(f"its job has not ended after {PATIENCE - 5:g} s") from None
    if job["state"] == "succeeded" and not may_succeed:
        raise NotHeldError("its job succeeded")
    text = json.dumps(job)
    if MARKER in text or MARKER[:12] in text:
        raise NotHeldError("the job shows a part of the foreign answer")
    if job["state"] == "succeeded":
        await _decent(target, job["job_id"])


async def _decent(target: Target, job_id: str) -> None:
    """The stored names must have a bounded length and no control characters."""
    answer = await target.ask(f"GET /summaries/{job_id}/points")
    names = [it["properties"].get("name") or "" for it in answer.json["features"]]
    longest = max(map(len, names), default=0)
    if longest > LONGEST_NAME:
        raise NotHeldError(f"a name of {longest} characters was stored")
    if any(ord(character) < 0x20 for name in names for character in name):
        raise NotHeldError("a name with control characters was stored")
