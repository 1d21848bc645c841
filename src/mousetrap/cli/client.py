"""An HTTP client of the API, bounded in time and size, that retries temporary failures."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import httpx2
import msgspec

from mousetrap.cli import tokens
from mousetrap.cli.errors import (
    BrokenOffError,
    MissingSummaryError,
    RefusedError,
    UnknownSourceError,
    UnreachableError,
)
from mousetrap.cli.options import Options
from mousetrap.cli.schema import Problem
from mousetrap.sources.text import tidy

CALL_DEADLINE: Final = 15.0
MAX_BYTES: Final = 32 * 1024 * 1024
MAX_MESSAGE: Final = 2000
PROBLEM: Final = "application/problem+json"
USER_AGENT: Final = "mousetrap (command line)"
RETRY_DELAY: Final = 0.5
TEMPORARY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

ADVICE: Final = {
    "not-failed": "only a failed job can be retried; `mousetrap job JOB` shows its state",
    "unknown-job": "there is no job with this id; `mousetrap jobs` lists the newest ones",
    "unknown-source": "there is no source with this name; `mousetrap sources` lists them",
    "unknown-summary": "the job has no summary; `mousetrap job JOB` shows whether it will have one",
}
"""In the words of the command line, by the codes of problems whose details speak of HTTP."""

Query = Mapping[str, str | int | None]


class Client:
    """The API at `url`, with an overall deadline of `patience` seconds.

    An async context manager. Every call takes at most CALL_DEADLINE seconds. Calls that the API
    refuses temporarily (429 or 503 with Retry-After) are retried until the overall deadline.
    `token` is sent with each of them.
    """

    def __init__(self, url: str, patience: float, token: str | None = None) -> None:
        self.url = url
        self._token = token
        self._end = asyncio.get_running_loop().time() + patience
        headers = {"User-Agent": USER_AGENT}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx2.AsyncClient(timeout=CALL_DEADLINE, headers=headers)

    @classmethod
    def of(cls, options: Options, patience: float | None = None) -> Self:
        """Return the client that a command's options ask for; raises TokenError."""
        limit = options.timeout if patience is None else patience
        return cls(options.url, limit, tokens.find(options))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def get(self, path: str, query: Query | None = None) -> bytes:
        """Return the body of an answer; raises RefusedError, UnreachableError."""
        return await self._call(self._request("GET", path, query), repeatable=True)

    async def get_once(self, path: str) -> bytes:
        """As `get`, and a temporary refusal is the answer: it is not retried."""
        return await self._ask(self._request("GET", path, None))

    async def post(
        self,
        path: str,
        body: Mapping[str, str] | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> bytes:
        """Return the body of an answer; raises RefusedError, UnreachableError.

        With an idempotency key the request is retried after a lost connection.
        """
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        request = self._http.build_request("POST", self.url + path, json=body, headers=headers)
        return await self._call(request, repeatable=idempotency_key is not None)

    def decode[T](self, body: bytes | msgspec.Raw, kind: type[T]) -> T:
        """Decode an answer; raises UnreachableError when it is not one of Mousetrap's."""
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._foreign(f"an unexpected body ({error})") from None

    def left(self) -> float:
        """Return the seconds until the overall deadline."""
        return self._end - asyncio.get_running_loop().time()

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, *, query: Query, headers: dict[str, str], silence: float
    ) -> AsyncIterator[httpx2.Response]:
        """Send a request whose answer never ends; yields it once its headers have arrived.

        Raises BrokenOffError when the connection is lost, or silent for `silence` seconds.
        """
        request = self._request("GET", path, query)
        request.headers.update(headers)
        request.extensions["timeout"] = httpx2.Timeout(CALL_DEADLINE, read=silence).as_dict()
        with self._translated_errors():
            async with contextlib.aclosing(await self._http.send(request, stream=True)) as response:
                if not response.is_success:
                    self._check(response, await self._body(response))
                yield response

    def _request(self, method: str, path: str, query: Query | None) -> httpx2.Request:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self._http.build_request(method, self.url + path, params=given)

    async def _call(self, request: httpx2.Request, *, repeatable: bool) -> bytes:
        while True:
            try:
                return await self._ask(request)
            except RefusedError as error:
                pause = error.retry_after
                if pause is None or pause > self.left():
                    raise
            except BrokenOffError:
                pause = RETRY_DELAY
                if not repeatable or pause > self.left():
                    raise
            await asyncio.sleep(pause)

    async def _ask(self, request: httpx2.Request) -> bytes:
        deadline = max(min(CALL_DEADLINE, self.left()), 0)
        try:
            with self._translated_errors():
                async with (
                    asyncio.timeout(deadline),
                    contextlib.aclosing(await self._http.send(request, stream=True)) as response,
                ):
                    body = await self._body(response)
        except TimeoutError:
            raise UnreachableError(
                f"{self.url} has not answered within {deadline:.1f} s: check its health, or try"
                " again"
            ) from None
        self._check(response, body)
        return body

    async def _body(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_BYTES:
                raise self._foreign(f"more than {MAX_BYTES} bytes")
        return bytes(body)

    @contextlib.contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            raise UnreachableError(
                f"{self.url} cannot be reached ({error}): check that Mousetrap runs there,"
                " or set --url or MOUSETRAP_URL"
            ) from error
        except httpx2.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise BrokenOffError(
                f"the connection to {self.url} was lost ({reason}): try again"
            ) from error

    def _check(self, response: httpx2.Response, body: bytes) -> None:
        if response.is_success:
            return
        if response.headers.get("content-type") != PROBLEM:
            raise self._foreign(f"{response.status_code} {response.reason_phrase}")
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            raise RefusedError(self._unauthorized())
        problem = self.decode(body, Problem)
        if problem.code == "unknown-summary":
            raise MissingSummaryError(_message(problem))
        if problem.code == "unknown-source":
            raise UnknownSourceError(_message(problem))
        raise RefusedError(_message(problem), _retry_after(response))

    def _unauthorized(self) -> str:
        if self._token is None:
            return (
                f"{self.url} needs a token: `mousetrap login` stores one, and --token-file or"
                " MOUSETRAP_TOKEN_FILE names a file with one"
            )
        return (
            f"{self.url} does not know the token: ask its operator for a new one, and store it with"
            " `mousetrap login`"
        )

    def _foreign(self, answer: str) -> UnreachableError:
        return UnreachableError(
            f"{self.url} does not answer as Mousetrap does, but with {answer}: check that --url is"
            " right"
        )


def _message(problem: Problem) -> str:
    flaws = "; ".join(f"{flaw.name}: {flaw.message}" for flaw in problem.errors)
    advice = ADVICE.get(problem.code)
    return tidy(f"{problem.title}: {flaws or advice or problem.detail}", MAX_MESSAGE)


def _retry_after(response: httpx2.Response) -> float | None:
    """Return the delay before a retry in seconds; None if the refusal is permanent."""
    seconds = response.headers.get("retry-after", "")
    temporary = response.status_code in TEMPORARY and seconds.isdecimal()
    return float(seconds) if temporary else None
