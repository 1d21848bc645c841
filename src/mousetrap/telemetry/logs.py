"""Structured logs on standard output, one line an event, including those of libraries.

A task binds facts with `about`, such as a job's id, and each of its lines has them. The trace id of
a job is the job's id: see `telemetry.traces`.
"""

import json
import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
import structlog
from structlog import contextvars, processors
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, Processor

Logger = structlog.typing.FilteringBoundLogger

# Their debug lines contain whole URLs, and a URL may contain a key.
HTTP_CLIENTS: Final = ("httpcore2", "urllib3")

_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)


def logger(name: str) -> Logger:
    """Return the logger of a module."""
    found: Logger = structlog.get_logger(name)
    return found


def about(**facts: Any) -> None:
    """Bind `facts` to all further lines of this task and of tasks that inherit its context."""
    contextvars.bind_contextvars(**facts)


def only_about(**facts: Any) -> None:
    """Bind `facts` to all further lines of this task, in place of earlier facts."""
    contextvars.clear_contextvars()
    contextvars.bind_contextvars(**facts)


def facts() -> Mapping[str, Any]:
    """Return the facts that the lines of this task have."""
    return contextvars.get_contextvars()


def trace_id(job_id: object) -> str:
    """Return the trace id of a job, as lines show it."""
    return job_id.hex if isinstance(job_id, UUID) else str(job_id).replace("-", "")


class _Output(structlog.BytesLogger):
    """Standard output; a line that cannot be written is dropped."""

    def msg(self, message: bytes) -> None:
        with suppress(OSError):
            super().msg(message)

    debug = info = warning = error = critical = msg


def configure(
    service: str, *, form: Literal["json", "console"] = "json", level: str = "info"
) -> None:
    """Send all logs of this process to standard output; every line names the `service`.

    Call it once, before the first line: loggers keep their level from then on.
    """

    def name(_: object, __: str, event: EventDict) -> EventDict:
        if event.get("job_id") is not None:
            event.setdefault("trace_id", trace_id(event["job_id"]))
        event.setdefault("service", service)
        return event

    shared: list[Processor] = [
        contextvars.merge_contextvars,
        name,
        add_log_level,
        add_logger_name,
        processors.TimeStamper(fmt="iso"),
    ]
    last: list[Processor] = (
        [processors.format_exc_info, processors.JSONRenderer(_json)]
        if form == "json"
        # The default formatter prints local variables, which may be secret.
        else [
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[*shared, *last, _encode],
        logger_factory=lambda name: _Output(name=name),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        ProcessorFormatter(
            processors=[ProcessorFormatter.remove_processors_meta, *last],
            foreign_pre_chain=[ExtraAdder(), *shared],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for client in HTTP_CLIENTS:
        logging.getLogger(client).setLevel(logging.INFO)


def _json(event: EventDict, **_: object) -> str:
    try:
        return _ENCODER.encode(event).decode()
    except (OverflowError, TypeError, ValueError):
        # msgspec refuses lone surrogates and integers of more than 64 bits.
        return json.dumps(event, default=str)


def _encode(_: object, __: str, line: Any) -> Any:
    return line.encode(errors="backslashreplace")
