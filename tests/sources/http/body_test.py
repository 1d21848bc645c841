import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterable

import httpx2
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mousetrap.sources.errors import MalformedError, TooLargeError, TruncatedError
from mousetrap.sources.http import body
from mousetrap.sources.http.body import GZIP, LAYERS, STEP, Allowance, Gunzip

MEGABYTE = 1024 * 1024


class Stream(httpx2.AsyncByteStream):
    """A body that tells how much of it was taken."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = iter(chunks)
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            self.taken += len(chunk)
            yield chunk


def response(stream: Stream, encoding: str = "gzip") -> httpx2.Response:
    return httpx2.Response(200, headers={"Content-Encoding": encoding}, stream=stream)


async def read(response: httpx2.Response, max_bytes: int) -> bytes:
    return b"".join([piece async for piece in body.pieces(response, Allowance(max_bytes))])


def bomb(size: int) -> Iterable[bytes]:
    """Zeros, a thousand times smaller than they are, in chunks as they come from a socket."""
    packer = zlib.compressobj(wbits=31)
    for _ in range(size // MEGABYTE):
        yield packer.compress(bytes(MEGABYTE))
    yield packer.flush()


def unpacked(decoder: Gunzip, chunks: Iterable[bytes]) -> bytes:
    whole = b"".join(piece for chunk in chunks for piece in decoder.feed(chunk))
    decoder.finish()
    return whole


def chunked(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(st.binary(max_size=3000), st.integers(1, 500))
def test_gzip_is_unpacked_however_it_is_cut_into_chunks(data: bytes, size: int) -> None:
    assert unpacked(Gunzip(), chunked(gzip.compress(data), size)) == data


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5), st.integers(1, 100))
def test_several_members_are_one_body(members: list[bytes], size: int) -> None:
    packed = b"".join(map(gzip.compress, members))

    assert unpacked(Gunzip(), chunked(packed, size)) == b"".join(members)


@given(st.binary(max_size=1000), st.integers(0, 3), st.integers(1, 50))
async def test_gzip_is_told_by_its_magic_however_it_is_cut_into_chunks(
    data: bytes, layers: int, size: int
) -> None:
    packed = data
    for _ in range(layers):
        packed = gzip.compress(packed)
    assume(not data.startswith(GZIP))
    expected = gzip.compress(data) if layers > LAYERS else data

    assert await read(response(Stream(chunked(packed, size))), 10_000) == expected


async def test_what_is_unpacked_on_the_way_counts_too() -> None:
    inner = gzip.compress(b"") * 50_000
    stream = Stream([gzip.compress(inner)])

    with pytest.raises(TooLargeError):
        await read(response(stream), len(inner) // 2)


async def test_a_packed_body_that_is_cut_in_any_layer_is_truncated() -> None:
    packed = gzip.compress(gzip.compress(b"some"))
    inner = gzip.compress(gzip.compress(b"some")[:-4])

    for cut in (packed[:-4], inner):
        with pytest.raises(TruncatedError):
            await read(response(Stream([cut])), 10_000)


@pytest.mark.parametrize("size", [STEP - 1, STEP, STEP + 1, 3 * STEP])
def test_pieces_are_small_and_together_whole(size: int) -> None:
    decoder = Gunzip()

    pieces = list(decoder.feed(gzip.compress(bytes(size))))
    decoder.finish()

    assert max(map(len, pieces)) <= STEP
    assert sum(map(len, pieces)) == size


@given(st.integers(0, 60))
def test_gzip_that_ends_early_is_truncated(end: int) -> None:
    packed = gzip.compress(bytes(range(256)))

    with pytest.raises(TruncatedError, match="try again"):
        unpacked(Gunzip(), [packed[:end]])


@pytest.mark.parametrize(
    "packed",
    [
        b"not gzip at all",
        gzip.compress(b"a")[:-5] + b"wrong",
        gzip.compress(b"a") + b"more",
        zlib.compress(b"a"),
    ],
    ids=["text", "wrong checksum", "something after it", "zlib"],
)
def test_what_is_not_gzip_is_malformed(packed: bytes) -> None:
    with pytest.raises(MalformedError, match="not valid gzip"):
        unpacked(Gunzip(), [packed])


@pytest.mark.parametrize("size", [1000, 64 * 1024])
async def test_a_bomb_takes_no_more_memory_than_the_limit(size: int) -> None:
    stream = Stream(chunked(b"".join(bomb(100 * MEGABYTE)), size))
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            await read(response(stream), 4 * MEGABYTE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 10 * MEGABYTE
    assert stream.taken <= 64 * 1024


async def test_a_bomb_in_a_single_chunk_leaves_time_to_other_tasks() -> None:
    [chunk] = [b"".join(bomb(64 * MEGABYTE))]
    reading = asyncio.create_task(read(response(Stream([chunk])), 64 * MEGABYTE))
    turns = 0
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)

    assert len(await reading) == 64 * MEGABYTE
    assert turns >= 64 * MEGABYTE // STEP


async def test_gzip_that_never_unpacks_to_anything_ends_at_the_limit() -> None:
    empty = gzip.compress(b"") * 50
    stream = Stream(empty for _ in range(1_000_000))

    with pytest.raises(TooLargeError):
        await read(response(stream), 10_000)

    assert stream.taken <= 10_000 + len(empty)


async def test_an_endless_body_ends_at_the_limit() -> None:
    stream = Stream(bytes(100) for _ in range(1_000_000))

    with pytest.raises(TooLargeError, match="more than 10000 bytes: raise max_bytes"):
        await read(response(stream, "identity"), 10_000)

    assert stream.taken <= 10_100


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_a_body_of_exactly_the_limit_is_read(encoding: str) -> None:
    data = bytes(range(250)) * 4
    packed = gzip.compress(data) if encoding == "gzip" else data

    assert await read(response(Stream([packed]), encoding), 1000) == data
    with pytest.raises(TooLargeError):
        await read(response(Stream([packed]), encoding), 999)
