"""Tries attacks, and after each kind whether the system still serves a stranger."""

import asyncio
import time
from collections.abc import Callable, Sequence

from attack.case import AT_ONCE, Attack, Kind, Outcome, Result
from attack.errors import NotHeldError, NotTriedError
from attack.target import Target

RECOVERS_WITHIN = 30.0


async def run(
    attacks: Sequence[Attack], target: Target, say: Callable[[str], None]
) -> list[Outcome]:
    """Try all attacks, a kind at a time; return the outcomes in the order of the attacks."""
    outcomes: list[Outcome] = []
    for kind in Kind:
        chosen = [it for it in attacks if it.kind is kind]
        if not chosen:
            continue
        slots = asyncio.Semaphore(AT_ONCE[kind])
        ends = target.own.ends if target.own else 0
        start = time.monotonic()
        found = await asyncio.gather(*(_try(it, target, slots) for it in chosen))
        outcomes += found
        outcomes.append(await _after(kind, target, ends))
        held = sum(it.result is Result.HELD for it in found)
        say(f"{kind}: {held} of {len(found)} held, {time.monotonic() - start:.1f} s")
    return outcomes


async def _try(attack: Attack, target: Target, slots: asyncio.Semaphore) -> Outcome:
    async with slots:
        start = time.monotonic()
        result, reason = await _judged(attack, target)
        seconds = round(time.monotonic() - start, 3)
        return Outcome(attack.kind, attack.name, attack.finding, result, reason, seconds)


async def _judged(attack: Attack, target: Target) -> tuple[Result, str]:
    deadline = asyncio.timeout(attack.seconds)
    try:
        async with deadline:
            await attack.act(target)
    except NotTriedError as error:
        return Result.NOT_TRIED, str(error)
    except NotHeldError as error:
        return Result.NOT_HELD, str(error)
    except TimeoutError:
        waited = f"for {attack.seconds:g} s" if deadline.expired() else "for longer than it may"
        return Result.NOT_HELD, f"the system kept the attacker waiting {waited}"
    except OSError as error:
        return Result.NOT_HELD, f"the system does not take connections: {error}"
    except (LookupError, TypeError, ValueError) as error:
        return Result.NOT_HELD, f"an answer cannot be read: {error!r}"
    return Result.HELD, ""


async def _after(kind: Kind, target: Target, ends: int) -> Outcome:
    """Return whether the system serves a stranger, and whether none of its processes has ended."""
    start = time.monotonic()
    lives = await target.lives()
    reason = "" if lives else "a stranger is not answered"
    if target.own and target.own.ends > ends:
        reason = "; ".join(target.own.misdeeds[ends:])
    while not lives and time.monotonic() - start < RECOVERS_WITHIN:
        await asyncio.sleep(0.5)
        lives = await target.lives()
    result = Result.NOT_HELD if reason else Result.HELD
    return Outcome(kind, "then the system serves a stranger", "", result, reason)
