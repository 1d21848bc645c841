"""The pieces of large batches, which wait beside their messages."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import uuid4

from mousetrap.messages.schema import MAX_PIECE_BYTES
from mousetrap.queue.server import Answering, Client

PREFIX: Final = "mousetrap:batch:"
"""The prefix of the keys of pieces."""

KEPT: Final = 3600
"""Seconds that a piece is kept.

It is collected even if its sender dies before it has sent the message, or its reader before it has
dropped the piece. A batch whose message waits for longer is fetched again.
"""


def new_key() -> str:
    """Return a key that no other batch has."""
    return uuid4().hex


class PieceStore(Client):
    """Keeps the pieces of large batches, each batch under a key of its own.

    A second delivery of a request writes to another key, so two senders never mix their pieces.
    """

    async def put(self, key: str, pieces: Iterable[bytes]) -> None:
        """Keep the pieces of a batch under a new key; raises QueueUnavailableError.

        Another try has the same key, or the pieces of each would take room.
        """
        for number, piece in enumerate(pieces):
            async with Answering(self._deadline):
                await self._redis.set(_name(key, number), piece, ex=KEPT)

    async def get(self, key: str, number: int) -> bytes:
        """Return a piece, empty if there is none. Raises QueueUnavailableError.

        One that is larger than MAX_PIECE_BYTES is cut off a byte later, so that it is found out.
        """
        async with Answering(self._deadline):
            found: Any = await self._redis.getrange(_name(key, number), 0, MAX_PIECE_BYTES)
        return bytes(found)

    async def drop(self, key: str, count: int) -> None:
        """Delete the pieces of a batch, which may be gone. Raises QueueUnavailableError."""
        async with Answering(self._deadline):
            await self._redis.unlink(*(_name(key, number) for number in range(count)))


def _name(key: str, number: int) -> str:
    return f"{PREFIX}{key}:{number}"
