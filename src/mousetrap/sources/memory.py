"""The memory that a batch claims, where the process that fetches bounds it."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from typing import Final

Claim = Callable[[int], Awaitable[None]]

_CLAIM: Final[ContextVar[Claim | None]] = ContextVar("claim", default=None)


async def claim(weight: int) -> None:
    """Wait until a batch may take `weight` bytes of memory; unbounded by default.

    A source claims memory once for a batch, before it takes any: a feed claims it when the head of
    its first answer has arrived, so a silent server holds none.
    """
    bound = _CLAIM.get()
    if bound is not None:
        await bound(weight)


def bind(bound: Claim) -> Token[Claim | None]:
    """Set the claim function of this task; returns the token for `release`."""
    return _CLAIM.set(bound)


def release(token: Token[Claim | None]) -> None:
    """Restore the previous claim function."""
    _CLAIM.reset(token)
