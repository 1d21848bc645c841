"""`GET /` as it is asked most: answered from memory, without an application."""

import secrets
import time
from dataclasses import dataclass
from typing import Final, Self

from mousetrap.api.http import compression, etags, limits
from mousetrap.api.http.access_log import AccessLog
from mousetrap.api.live.summary_cache import Newest, SummaryCache
from mousetrap.api.metrics import ApiMetrics

URL: Final = b"/"
METHODS: Final = {b"GET": "GET", b"HEAD": "HEAD"}
OK: Final = 200
NOT_MODIFIED: Final = 304

CONDITION: Final = b"if-none-match"
UNUSUAL: Final = frozenset({b"content-length", b"expect", b"transfer-encoding", b"upgrade"})
"""Headers of requests for which an answer takes more than to be written."""

Headers = list[tuple[bytes, bytes]]


class Shortcut:
    """Answers as the applications do, byte for byte, whatever they would have to think about.

    That is GET or HEAD of `/` with at most one condition, and that a plain one, while the newest
    summary of the default source is in memory. All else is left to the applications, and they are
    to have no CORS. An answer that costs next to nothing is also given when they are overloaded.
    """

    def __init__(
        self, newest: SummaryCache, source: str, metrics: ApiMetrics, access: AccessLog
    ) -> None:
        self._newest = newest
        self._source = source
        self._metrics = metrics
        self._access = access
        self._prepared: _Prepared | None = None

    def answer(
        self, method: bytes, url: bytes, headers: Headers, defaults: Headers
    ) -> bytes | None:
        """Return a whole answer, or None; `defaults` are the headers that the server adds."""
        name = METHODS.get(method)
        if url != URL or name is None:
            return None
        begin = time.perf_counter()
        prepared = self._prepare()
        known = _condition(headers)
        if prepared is None or known is None or known not in {b"", prepared.etag}:
            return None
        request_id = secrets.token_hex(16)
        status, first, rest = prepared.full if known == b"" else prepared.not_modified
        end = b"" if name == "HEAD" or status == NOT_MODIFIED else prepared.newest.body
        whole = b"%b%b%bx-request-id: %b\r\n\r\n%b" % (
            first,
            _lines(defaults),
            rest,
            request_id.encode(),
            end,
        )
        seconds = time.perf_counter() - begin
        self._metrics.answered(name, "/", status, seconds)
        self._access.note(
            method=name,
            path="/",
            status=status,
            seconds=seconds,
            context={"request_id": request_id},
        )
        return whole

    def _prepare(self) -> "_Prepared | None":
        newest = self._newest.kept(self._source)
        if newest is None or newest.summary is None or len(newest.body) >= compression.MINIMUM:
            return None
        if self._prepared is None or self._prepared.newest is not newest:
            self._prepared = _Prepared.of(newest)
        return self._prepared


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What does not change from answer to answer: statuses, and what goes around the date."""

    newest: Newest
    etag: bytes
    full: tuple[int, bytes, bytes]
    not_modified: tuple[int, bytes, bytes]

    @classmethod
    def of(cls, newest: Newest) -> Self:
        etag = newest.etag.encode()
        cached = [(name.lower().encode(), v.encode()) for name, v in etags.REVALIDATE.items()]
        tagged = [*cached, (b"etag", etag)]
        always = [header for header in limits.HEADERS if header not in cached]
        content = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(newest.body)).encode()),
        ]
        vary = [(b"vary", b"Accept-Encoding")]
        return cls(
            newest,
            etag,
            (OK, b"HTTP/1.1 200 OK\r\n", _lines([*tagged, *content, *always])),
            (
                NOT_MODIFIED,
                b"HTTP/1.1 304 Not Modified\r\n",
                _lines([*tagged, *vary, *always]),
            ),
        )


def _condition(headers: Headers) -> bytes | None:
    """Return the condition, empty for none; None if the request is not the plain one."""
    found = b""
    for name, value in headers:
        if name == CONDITION:
            if found or not value:
                return None
            found = value
        elif name in UNUSUAL:
            return None
    return found


def _lines(headers: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
