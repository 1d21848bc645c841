"""The line of the log about each request."""

import asyncio
import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from mousetrap.telemetry import logs

log = logs.logger(__name__)


class AccessLog:
    """Writes a line about every request, as JSON or as text for people.

    JSON has the very fields that the log would write, for a fraction of the time. Lines go to
    standard output together, in the next turn of the event loop: an idle process writes at once, a
    busy one saves the calls.
    """

    def __init__(self, form: Literal["json", "console"]) -> None:
        self._as_json = form == "json"
        self._logger = logging.getLogger(__name__)
        self._lines: list[bytes] = []

    def note(  # noqa: PLR0913 - one for each field
        self,
        *,
        method: str,
        path: str,
        status: int,
        seconds: float,
        context: Mapping[str, str],
        quiet: bool = False,
    ) -> None:
        """Take note of a request; to be called in a running event loop.

        `context` is what else is on the line: the request's id, and its job's if it has one. Of a
        `quiet` request only those want to know who look for a fault.
        """
        duration_ms = round(seconds * 1000, 1)
        if not self._as_json:
            log.log(
                logging.DEBUG if quiet else logging.INFO,
                "request",
                method=method,
                path=path,
                status=status,
                duration_ms=duration_ms,
                **context,
            )
        elif self._logger.isEnabledFor(logging.DEBUG if quiet else logging.INFO):
            fields: dict[str, Any] = {
                "method": method,
                "path": path,
                "status": status,
                "duration_ms": duration_ms,
                "event": "request",
                **context,
            }
            if "job_id" in context:
                fields["trace_id"] = logs.trace_id(context["job_id"])
            self._put(fields, "debug" if quiet else "info")

    def _put(self, fields: dict[str, Any], level: str) -> None:
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._write)
        fields["service"] = "api"
        fields["level"] = level
        fields["logger"] = __name__
        fields["timestamp"] = datetime.now(UTC)
        self._lines.append(msgspec.json.encode(fields))

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        with suppress(OSError):  # work goes on, even if nobody can read about it
            sys.stdout.write(b"\n".join([*lines, b""]).decode())
            sys.stdout.flush()
