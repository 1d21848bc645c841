"""Framing and smuggling: messages whose ends two parsers could see differently (RFC 9112)."""

from collections.abc import Iterator
from typing import Final

from attack.case import Act, Attack, Kind
from attack.errors import NotHeldError
from attack.target import Target

SMUGGLED: Final = b"GET /smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
TRAILER_BYTES: Final = 4 * 1024 * 1024
OK: Final = range(200, 300)

ODD_HEADERS: Final = {
    "two Content-Length that differ": "Content-Length: 0\r\nContent-Length: 43",
    "a list of lengths": "Content-Length: 0, 43",
    "Content-Length with a sign": "Content-Length: +2",
    "Content-Length below zero": "Content-Length: -1",
    "Content-Length in hexadecimal": "Content-Length: 0x2",
    "Content-Length in words": "Content-Length: two",
    "Content-Length with a space in it": "Content-Length: 1 2",
    "Content-Length beyond 64 bits": "Content-Length: 99999999999999999999999",
    "empty Content-Length": "Content-Length:",
    "Content-Length in Arabic digits": "Content-Length: \u0662",
    "Content-Length with Transfer-Encoding": "Content-Length: 43\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding with Content-Length": "Transfer-Encoding: chunked\r\nContent-Length: 43",
    "an unknown transfer coding": "Transfer-Encoding: xchunked",
    "chunked before another coding": "Transfer-Encoding: chunked, identity",
    "chunked twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "a space before the colon": "Transfer-Encoding : chunked",
    "an obsolete fold in Transfer-Encoding": "Transfer-Encoding:\r\n chunked",
    "a vertical tab before chunked": "Transfer-Encoding: \x0bchunked",
    "an obsolete fold": "X-Fold: a\r\n b",
    "a NUL in a value": "X-Odd: a\x00b",
    "a bare CR in a value": "X-Odd: a\rTransfer-Encoding: chunked",
    "a space in a name": "X Odd: a",
    "an empty name": ": a",
    "a name in brackets": "(x): a",
    "a line without a colon": "X-Odd",
    "two Host": "Host: other.example",
}
"""Header lines that a server must refuse, or after which it must close (RFC 9112, 5 and 6)."""

ODD_STARTS: Final = {
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", "Also"),
    "Host with a path": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1/a\r\n\r\n", "Also"),
    "Host with a user": (b"GET / HTTP/1.1\r\nHost: a@127.0.0.1\r\n\r\n", "Also"),
    "Host with a space": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1 b\r\n\r\n", "Also"),
    "HTTP/0.9": (b"GET /\r\n", "Also"),
    "HTTP/0.9 with headers": (b"GET /\r\nHost: 127.0.0.1\r\n\r\n", "Also"),
    "HTTP/9.9": (b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n", ""),
    "HTTP/1.1.1": (b"GET / HTTP/1.1.1\r\nHost: 127.0.0.1\r\n\r\n", ""),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
    "a TLS handshake": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), ""),
    "a line of another protocol": (b"EHLO example.com\r\n", ""),
    "a space in the target": (b"GET /a b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", ""),
    "a NUL in the target": (b"GET /\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", ""),
    "a method in lower case": (b"get / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", ""),
    "an unknown method": (b"BREW / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", ""),
    "CONNECT": (b"CONNECT 127.0.0.1:5432 HTTP/1.1\r\nHost: 127.0.0.1:5432\r\n\r\n", ""),
    "TRACE": (b"TRACE / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: secret\r\n\r\n", ""),
}
"""Beginnings of messages that must not be answered with 2xx."""

LENIENT: Final = {
    "HTTP/2.0 in the request line": b"GET /health/live HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n",
    "two spaces in the request line": b"GET  /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "lines that end with a bare LF": (
        b"GET /health/live HTTP/1.1\nHost: 127.0.0.1\nContent-Length: 43\n\n" + SMUGGLED
    ),
    "chunked in HTTP/1.0": (
        b"POST /health/live HTTP/1.0\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n" + SMUGGLED
    ),
}
"""Messages that RFC 9112 (2.2, 3, 6.1) lets a server take, but only as one message."""

ODD_CHUNKS: Final = {
    "a negative chunk size": b"-1\r\n{}\r\n0\r\n\r\n",
    "a chunk size with 0x": b"0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk size with a sign": b"+2\r\n{}\r\n0\r\n\r\n",
    "a chunk size in words": b"zz\r\n{}\r\n0\r\n\r\n",
    "an empty chunk size": b"\r\n{}\r\n0\r\n\r\n",
    "a chunk size beyond 64 bits": b"FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than its size": b"2\r\n{}more\r\n0\r\n\r\n",
    "a chunk without its end": b"2\r\n{}0\r\n\r\n",
}
"""Chunked bodies that must be refused (RFC 9112 section 7.1)."""

OBEYED: Final = {
    "Idempotency-Key": b"Idempotency-Key: no key",
    "Host": b"Host: evil.example",
    "Origin": b"Origin: http://evil.example",
    "Authorization": b"Authorization: Bearer no-token-at-all",
    "Content-Type": b"Content-Type: text/plain",
    "Sec-Fetch-Site": b"Sec-Fetch-Site: cross-site",
    "Transfer-Encoding": b"Transfer-Encoding: gzip",
    "Content-Length": b"Content-Length: 99999",
}
"""Trailers that would be refused as headers."""

ENDLESS: Final = {
    "trailers": (b"0\r\n", b"t%07d: a\r\n"),
    "chunk extensions": (b"", b"1;%07d=" + b"x" * 512 + b"\r\n \r\n"),
    "bytes of a chunk extension": (b"2;", b"x" * 1024),
    "bytes of a trailer": (b"0\r\nt: ", b"y" * 1024),
}
"""Parts of a message that are not its content: how each begins, and the unit that repeats."""


def attacks() -> Iterator[Attack]:
    """Yield all attacks of this kind."""
    for name, lines in ODD_HEADERS.items():
        finding = "Also" if "Host" in name else ""
        yield Attack(Kind.FRAMING, name, finding, _refuses_headers(lines))
    for name, (start, finding) in ODD_STARTS.items():
        yield Attack(Kind.FRAMING, name, finding, _refuses(start))
    for name, data in LENIENT.items():
        yield Attack(Kind.FRAMING, name, "", _is_one(data))
    for name, body in ODD_CHUNKS.items():
        yield Attack(Kind.FRAMING, name, "", _refuses_chunks(body))
    for name, line in OBEYED.items():
        yield Attack(Kind.FRAMING, f"{name} as a trailer", "H1", _ignores_trailer(line))
    for name, (prefix, unit) in ENDLESS.items():
        yield Attack(Kind.FRAMING, f"endless {name}", "H1", _bounds(prefix, unit), seconds=30)
    yield Attack(Kind.FRAMING, "an upgrade to another protocol", "", _upgrade)
    yield Attack(Kind.FRAMING, "an unknown expectation", "", _expectation)
    yield Attack(Kind.FRAMING, "a body shorter than announced", "", _half_a_body)


def _refuses(data: bytes) -> Act:
    async def act(target: Target) -> None:
        answer = await target.exchange(data)
        if any(status in OK for status in answer.statuses):
            raise NotHeldError(f"it was answered {answer.status}")
        if answer.raw and not answer.statuses:
            raise NotHeldError(f"it was answered without a status: {answer.raw[:40]!r}")
        if any(status == 500 for status in answer.statuses):
            raise NotHeldError("it was answered 500")

    return act


def _is_one(data: bytes) -> Act:
    async def act(target: Target) -> None:
        answer = await target.exchange(data)
        if len(answer.statuses) > 1:
            raise NotHeldError(f"one message was answered as {answer.statuses}")

    return act


def _post(target: Target, lines: str, body: bytes) -> bytes:
    head = f"POST /refresh HTTP/1.1\r\nHost: {target.host}:{target.port}\r\n"
    if target.token:
        head += f"Authorization: Bearer {target.token}\r\n"
    return f"{head}Content-Type: application/json\r\n{lines}\r\n\r\n".encode() + body


def _refuses_headers(lines: str) -> Act:
    async def act(target: Target) -> None:
        tail = SMUGGLED if "ontent-Length" in lines else b"0\r\n\r\n" + SMUGGLED
        answer = await target.exchange(_post(target, lines, tail))
        if len(answer.statuses) > 1:
            raise NotHeldError(f"one message was answered as {answer.statuses}")
        if answer.status in OK:
            raise NotHeldError(f"it was answered {answer.status}")

    return act


def _refuses_chunks(body: bytes) -> Act:
    async def act(target: Target) -> None:
        await _refuses(_post(target, "Transfer-Encoding: chunked", body))(target)

    return act


def _ignores_trailer(line: bytes) -> Act:
    async def act(target: Target) -> None:
        chunked = "Transfer-Encoding: chunked\r\nConnection: close"
        seen = []
        for trailer in (b"X-Neutral: a", line):
            body = b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n\r\n"
            answer = await target.exchange(_post(target, chunked, body))
            seen.append(answer.status)
        if seen[0] != seen[1] and seen[0] in OK and seen[1] != 400:
            raise NotHeldError(f"a message with it is answered {seen[1]}, without it {seen[0]}")
        if seen[0] in OK and seen[1] == 400 and line.startswith(b"Idempotency"):
            raise NotHeldError("a trailer was read as the key of the request")

    return act


def _bounds(prefix: bytes, unit: bytes) -> Act:
    """The server must end a connection that sends such bytes, long before they are MBs."""

    async def act(target: Target) -> None:
        async with target.connected() as connection:
            await connection.send(_post(target, "Transfer-Encoding: chunked", prefix))
            number = 0
            while connection.sent < TRAILER_BYTES:
                block = b"".join(unit % (number + i) if b"%" in unit else unit for i in range(64))
                number += 64
                if not await connection.send(block):
                    return
            if not await connection.closed_within(1):
                raise NotHeldError(f"{connection.sent} bytes were taken without an end")

    return act


async def _upgrade(target: Target) -> None:
    for protocol in ("h2c", "websocket"):
        headers = {"Connection": "Upgrade", "Upgrade": protocol, "HTTP2-Settings": "AAMAAABk"}
        answer = await target.ask("GET /health/live", headers, seconds=2)
        if 101 in answer.statuses:
            raise NotHeldError(f"it changed to {protocol}")


async def _expectation(target: Target) -> None:
    answer = await target.ask("POST /refresh", {"Expect": "a-miracle"})
    if answer.status >= 500:
        raise NotHeldError(f"it was answered {answer.status}")


async def _half_a_body(target: Target) -> None:
    answer = await target.exchange(_post(target, "Content-Length: 99", b"{}"), seconds=1)
    if answer.status in OK:
        raise NotHeldError("a request was obeyed before its end")
