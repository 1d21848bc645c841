"""Room in memory for a batch, where the process that fetches bounds it."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from typing import Final

Claim = Callable[[int], Awaitable[None]]

_CLAIM: Final[ContextVar[Claim | None]] = ContextVar("claim", default=None)


async def claim(weight: int) -> None:
    """Wait until there is room for a batch that takes `weight` bytes; nobody bounds it by default.

    A source claims room before it takes memory, once for a batch. A feed does when the head of its
    first answer has arrived, so that a server that says nothing takes no room.
    """
    bound = _CLAIM.get()
    if bound is not None:
        await bound(weight)


def bind(bound: Claim) -> Token[Claim | None]:
    """Let `bound` decide for this task, until `release` is called with what this returns."""
    return _CLAIM.set(bound)


def release(token: Token[Claim | None]) -> None:
    """Let what was bound before decide again."""
    _CLAIM.reset(token)
