"""Feeds that break HTTP, JSON, GeoJSON or the memory of those who read them."""

import asyncio
import gzip
import itertools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from attack.feed_server import Reply, Script, answer

MARKER: Final = "SECRET-OF-ANOTHER-SERVER"
"""Part of foreign answers; it must not be shown to callers."""
MAX_BYTES: Final = 1_000_000
DEADLINE: Final = 2.0

HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/geo+json\r\n"
CHUNKED: Final = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Feed:
    """A reply, the row of the threat table, and whether its job may succeed."""

    reply: Reply
    finding: str = ""
    may_succeed: bool = False


def feature(name: object = "a", position: str = "[1, 2]") -> bytes:
    """Return a feature as JSON; `position` is JSON already."""
    text = json.dumps(name)
    geometry = f'{{"type":"Point","coordinates":{position}}}'
    return f'{{"type":"Feature","geometry":{geometry},"properties":{{"name":{text}}}}}'.encode()


def collection(*features: bytes) -> bytes:
    """Return a FeatureCollection of features."""
    return b'{"type":"FeatureCollection","features":[' + b",".join(features) + b"]}"


def forever(head: bytes, unit: Callable[[int], bytes], *, pause: float = 0.0) -> Script:
    """Return a script that sends units without end."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for number in itertools.count():
            writer.write(unit(number))
            await writer.drain()
            await asyncio.sleep(pause)

    return script


async def _silent(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def _reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def _nested_gzip(times: int) -> bytes:
    data = b" " * 10_000_000
    for _ in range(times):
        data = gzip.compress(data)
    return data


def _many(count: int) -> bytes:
    return collection(*itertools.repeat(feature(), count))


def _positions(count: int) -> str:
    return f"[{'[1,2],' * count}[1,2]]"


def _repeat(unit: bytes) -> Callable[[int], bytes]:
    return lambda _: unit


def _raw(*parts: bytes) -> bytes:
    return b"".join(parts)


NAMES: Final[dict[str, object]] = {
    "long": "n" * 500_000,
    "escapes": "\x1b[2J\x1b]0;owned\x07",
    "nul": "a\x00b",
    "html": "<script>alert(1)</script>",
    "bidi": "\u202egnp.exe",
    "zero-width": "\u200b" * 10_000,
    "object": {"a": MARKER},
    "combining": "e" + "\u0301" * 100_000,
    "spreadsheet": "=cmd|' /C calc'!A0",
    "null-word": None,
}

FEEDS: Final[dict[str, Feed]] = {
    # HTTP
    "endless-body": Feed(forever(CHUNKED, _repeat(b"1000\r\n" + b" " * 4096 + b"\r\n"))),
    "endless-body-without-length": Feed(forever(HEAD + b"\r\n", _repeat(b" " * 4096))),
    "endless-head": Feed(forever(b"HTTP/1.1 200 OK\r\n", lambda i: b"X-%d: a\r\n" % i)),
    "endless-status-line": Feed(forever(b"HTTP/1.1 200 ", _repeat(b"a" * 4096))),
    "endless-header-line": Feed(forever(HEAD + b"X-Odd: ", _repeat(b"a" * 4096))),
    "endless-interim-answers": Feed(
        forever(b"", _repeat(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"))
    ),
    "endless-trailers": Feed(forever(CHUNKED + b"0\r\n", lambda i: b"t%d: a\r\n" % i)),
    "endless-chunk-extension": Feed(forever(CHUNKED + b"2;", _repeat(b"a" * 4096))),
    "silent": Feed(_silent),
    "reset": Feed(_reset),
    "slow-head": Feed(forever(b"HTTP/1.1 200 OK\r\nX-Odd: ", _repeat(b"a"), pause=0.2)),
    "slow-body": Feed(forever(HEAD + b"Content-Length: 99999\r\n\r\n", _repeat(b" "), pause=0.2)),
    "slow-chunks": Feed(forever(CHUNKED, _repeat(b"1\r\n \r\n"), pause=0.2)),
    "no-bytes": Feed(b""),
    "http-0-9": Feed(collection(feature())),
    "garbage": Feed(bytes(range(256)) * 100),
    "tls": Feed(b"\x15\x03\x01\x00\x02\x02\x28"),
    "length-too-long": Feed(answer(_many(3), length=100_000)),
    "length-too-short": Feed(answer(_many(3), length=20)),
    "length-negative": Feed(answer(_many(3), length=-5)),
    "length-twice": Feed(_raw(HEAD, b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n", _many(1))),
    "length-and-chunked": Feed(
        _raw(HEAD, b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", _many(1))
    ),
    "bad-chunk-size": Feed(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n"),
    "huge-chunk-size": Feed(CHUNKED + b"FFFFFFFFFFFFFFFF\r\n{}"),
    "too-large-announced": Feed(answer(b"{}", length=2**40)),
    "wrong-type": Feed(answer(f"<p>{MARKER}</p>".encode(), content_type="text/html"), "M1"),
    "wrong-charset": Feed(
        answer("{}".encode("utf-16"), content_type="application/json; charset=utf-16")
    ),
    "unknown-encoding": Feed(answer(b"\x8b", Content_Encoding="br")),
    "two-encodings": Feed(answer(gzip.compress(b"{}"), Content_Encoding="gzip, gzip")),
    "status-401": Feed(answer(MARKER.encode(), status=401, WWW_Authenticate="Basic"), "M1"),
    "status-500": Feed(answer(MARKER.encode(), status=500), "M1"),
    "status-999": Feed(answer(b"{}", status=999)),
    "long-etag": Feed(answer(_many(2), ETag='"' + "e" * 50_000 + '"'), may_succeed=True),
    "cookies": Feed(answer(_many(2), Set_Cookie="a=b; Domain=127.0.0.1"), may_succeed=True),
    # Compression
    "gzip-bomb": Feed(answer(_nested_gzip(1), Content_Encoding="gzip")),
    "gzip-in-gzip": Feed(answer(_nested_gzip(2), Content_Encoding="gzip")),
    "gzip-of-many-members": Feed(answer(gzip.compress(b"") * 60_000, Content_Encoding="gzip")),
    "gzip-cut-short": Feed(answer(gzip.compress(_many(9))[:-9], Content_Encoding="gzip")),
    "gzip-that-is-none": Feed(answer(MARKER.encode(), Content_Encoding="gzip"), "M1"),
    # JSON
    "foreign-text": Feed(answer(MARKER.encode()), "M1"),
    "foreign-json": Feed(answer(f'{{"{MARKER}": 1, "type": "{MARKER}"}}'.encode()), "M1"),
    "almost-json": Feed(answer(f'{{"type": {MARKER}}}'.encode()), "M1"),
    "deep-nesting": Feed(answer(b"[" * 900_000)),
    "deep-properties": Feed(
        answer(collection(feature().replace(b'"a"', b"[" * 100_000 + b"]" * 100_000))),
        may_succeed=True,
    ),
    "huge-line": Feed(answer(collection(feature("a" * 900_000))), "H4", may_succeed=True),
    "empty": Feed(answer(b"")),
    "null": Feed(answer(b"null")),
    "not-utf-8": Feed(answer(collection(feature().replace(b'"a"', b'"\xff\xfe"')))),
    "lone-surrogate": Feed(
        answer(collection(feature().replace(b'"a"', b'"\\ud800"'))), may_succeed=True
    ),
    "many-keys": Feed(
        answer(collection(feature().replace(b'{"name"', b"{" + b'"k":1,' * 100_000 + b'"name"'))),
        may_succeed=True,
    ),
    # GeoJSON
    "no-features": Feed(answer(collection())),
    "too-many-points": Feed(answer(_many(9_000)), "H4"),
    "many-points": Feed(answer(_many(4_000)), "H4", may_succeed=True),
    "empty-features": Feed(answer(collection(*[b"{}"] * 100_000))),
    "tiny-geometries": Feed(answer(collection(*[b'{"geometry":{}}'] * 60_000))),
    "tiny-points": Feed(
        answer(collection(*[b'{"geometry":{"type":"Point","coordinates":[1,2]},"id":1}'] * 18_000))
    ),
    "huge-multipoint": Feed(
        answer(collection(feature(position=_positions(150_000)).replace(b"Point", b"MultiPoint")))
    ),
    "huge-polygon": Feed(
        answer(collection(feature(position=_positions(150_000)).replace(b"Point", b"Polygon")))
    ),
    "surrogates": Feed(
        answer(collection(feature().replace(b'"a"', b'"' + rb"\ud83d\n" * 100_000 + b'"'))),
        may_succeed=True,
    ),
    "many-links": Feed(
        answer(b'{"links":[' + b'{"rel":"item"},' * 50_000 + b"{}]," + _many(2)[1:]),
        may_succeed=True,
    ),
    "foreign-crs": Feed(answer(b'{"crs":"' + b"c" * 900_000 + b'",' + _many(2)[1:])),
    "error-of-the-server": Feed(
        answer(b'{"error":{"message":"\\u001b[2J<script>' + b"e" * 60_000 + b'"}}')
    ),
    "nan": Feed(answer(collection(feature(position="[NaN, 1]")))),
    "infinity": Feed(answer(collection(feature(position="[1e999, 1]")))),
    "huge-number": Feed(answer(collection(feature(position=f"[{'9' * 100_000}, 1]")))),
    "off-earth": Feed(answer(collection(feature(position="[1, 91]")))),
    "text-as-position": Feed(answer(collection(feature(position=f'["{MARKER}", 1]'))), "M1"),
    "long-position": Feed(
        answer(collection(feature(position=str([1.5] * 100_000)))), may_succeed=True
    ),
    **{
        f"name-{key}": Feed(answer(collection(feature(name))), "L2", may_succeed=True)
        for key, name in NAMES.items()
    },
}


def redirects(targets: Iterable[tuple[str, str]]) -> dict[str, Feed]:
    """Return a feed for each name and Location."""
    return {
        f"redirect-{name}": Feed(answer(status=302, Location=location), "M1")
        for name, location in targets
    }
