"""Reads and decompresses a response body of bounded size."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final

import httpx2

from mousetrap.sources.errors import MalformedError, TruncatedError
from mousetrap.sources.http import response_head

STEP: Final = 256 * 1024
GZIP_WINDOW: Final = zlib.MAX_WBITS | 16


async def pieces(response: httpx2.Response, max_bytes: int) -> AsyncIterator[bytes]:
    """Yield the body of a response whose headers have arrived, decompressed, in pieces up to STEP.

    Yields to other tasks. `max_bytes` bounds the whole. Raises WrongEncodingError, TooLargeError,
    TruncatedError, MalformedError.
    """
    response_head.check_length(response.headers, max_bytes)
    decoder = Gunzip() if response_head.is_gzip(response.headers) else Plain()
    received = size = 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        for piece in decoder.feed(chunk):
            size += len(piece)
            # Received bytes count as well: crafted gzip can decompress to nothing for ever.
            if max(received, size) > max_bytes:
                raise response_head.too_large(max_bytes)
            if piece:
                yield piece
            await asyncio.sleep(0)
    decoder.finish()


class Plain:
    """The decoder of an uncompressed body."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the next bytes of the body unchanged."""
        yield chunk

    def finish(self) -> None:
        """Accept any end: HTTP itself detects truncation."""


class Gunzip:
    """The decoder of a gzip body (RFC 1952: one member or several)."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(GZIP_WINDOW)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Decompress the next bytes of the body, and yield at most STEP bytes at a time.

        Raises MalformedError.
        """
        while chunk:
            if self._member.eof:
                self._member = zlib.decompressobj(GZIP_WINDOW)
            try:
                piece = self._member.decompress(chunk, STEP)
            except zlib.error as error:
                raise MalformedError(
                    f"the answer is not valid gzip ({error}): tell the operator of the server"
                ) from error
            chunk = self._member.unconsumed_tail or self._member.unused_data
            yield piece

    def finish(self) -> None:
        """Raise TruncatedError unless the last member is complete."""
        if not self._member.eof:
            raise TruncatedError("the answer ends in the middle of its gzip data: try again")
